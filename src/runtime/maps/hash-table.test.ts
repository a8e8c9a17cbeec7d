import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinearMemory, MemoryPlan } from '../memory/memory.ts';
import { LINE, planHashTable } from './hash-areas.ts';
import { HashTable } from './hash-table.ts';
import { Layout } from './layout.ts';

const SLOTS = 40;
const BUCKETS = 16;

/** Keys of 4 bytes whose hash the test chooses. */
function tableOf(buckets: number, slots: number) {
  const plan = new MemoryPlan(2 ** 24);
  const key = plan.allot('key', 8).start;
  const bytes = (start: number) => {
    const layout = new Layout(start);
    return { areas: planHashTable(layout, 4, buckets, slots, 0), end: layout.end };
  };
  const { start } = plan.allot('table', bytes(0).end);
  const memory = new LinearMemory(plan);
  const keyed = (value: number) => {
    memory.view.setUint32(key, value, true);
    return key;
  };
  return { table: new HashTable(memory, bytes(start).areas, 4), keyed };
}

/** What Linux has: a list of nodes a bucket, new ones in front; a node that left still points where it did. */
class Lists {
  readonly heads = new Map<number, Node | undefined>();

  add(node: Node) {
    node.next = this.heads.get(node.hash % BUCKETS);
    this.heads.set(node.hash % BUCKETS, node);
  }

  remove(node: Node) {
    const bucket = node.hash % BUCKETS;
    let at = this.heads.get(bucket);
    if (at === node) this.heads.set(bucket, node.next);
    else {
      while (at!.next !== node) at = at!.next;
      at!.next = node.next;
    }
  }

  *nodes() {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let node = this.heads.get(bucket); node !== undefined; node = node.next) yield node;
    }
  }

  walk(visit: (node: Node) => void) {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      let node = this.heads.get(bucket);
      while (node !== undefined) {
        const { next } = node;
        visit(node);
        node = next;
      }
    }
  }
}

interface Node {
  readonly slot: number;
  readonly hash: number;
  next: Node | undefined;
}

/** Few buckets of many, and few hashes of a bucket: lines overflow, bytes of hashes meet. */
const hashes = fc.tuple(fc.nat(5), fc.constantFrom(0, 0x0800_0000, 0xf800_0000, 0x10)).map(([low, high]) => low + high);
const operations = fc.array(
  fc.record({ what: fc.constantFrom('link', 'link', 'link', 'unlink', 'replace'), hash: hashes, pick: fc.nat() }),
  { maxLength: 120, size: 'max' },
);

describe('a hash table', () => {
  test("lists what Linux's lists of nodes hold, in their order, and finds it", () => {
    fc.assert(
      fc.property(operations, (done) => {
        const { table, keyed } = tableOf(BUCKETS, SLOTS);
        const lists = new Lists();
        const live: Node[] = [];
        const free = Array.from({ length: SLOTS }, (_, slot) => slot);
        const fresh = (hash: number): Node => {
          const node = { slot: free.shift()!, hash, next: undefined };
          lists.add(node);
          live.push(node);
          return node;
        };
        for (const { what, hash, pick } of done) {
          if (what === 'link') {
            if (free.length === 0) continue;
            const { slot } = fresh(hash);
            table.link(slot, keyed(slot), hash);
            continue;
          }
          if (live.length === 0 || free.length === 0) continue;
          const [old] = live.splice(pick % live.length, 1) as [Node];
          if (what === 'unlink') expect(table.unlink(old.slot)).toBe(true);
          else {
            const { slot } = fresh(old.hash);
            table.replace(old.slot, slot, keyed(slot), old.hash);
          }
          lists.remove(old);
          free.push(old.slot);
        }
        expect(table.slots()).toEqual([...lists.nodes()].map(({ slot }) => slot));
        for (const { slot, hash } of live) expect(table.find(keyed(slot), hash)).toBe(slot);
        for (const slot of free) {
          expect(table.find(keyed(slot), table.hashAt(slot))).toBe(-1);
          expect(table.unlink(slot)).toBe(false);
        }
      }),
    );
  });

  test('is walked as Linux walks its lists, whatever leaves them meanwhile', () => {
    const scenario = fc.record({
      all: fc.array(hashes, { minLength: 1, maxLength: SLOTS, size: 'max' }),
      leaving: fc.array(fc.array(fc.nat(SLOTS - 1), { maxLength: 3 }), { maxLength: SLOTS, size: 'max' }),
    });
    fc.assert(
      fc.property(scenario, ({ all, leaving }) => {
        const { table, keyed } = tableOf(BUCKETS, SLOTS);
        const lists = new Lists();
        const nodes = all.map((hash, slot) => ({ slot, hash, next: undefined }));
        for (const node of nodes) {
          lists.add(node);
          table.link(node.slot, keyed(node.slot), node.hash);
        }
        const visits = (walk: (visit: (slot: number) => void) => void, unlink: (slot: number) => void) => {
          const seen: number[] = [];
          const gone = new Set<number>();
          walk((slot) => {
            for (const one of leaving[seen.length] ?? []) {
              if (one >= nodes.length || gone.has(one)) continue;
              gone.add(one);
              unlink(one);
            }
            seen.push(slot);
          });
          return seen;
        };
        const ours = visits(
          (visit) =>
            table.walk((slot) => {
              visit(slot);
              return true;
            }),
          (slot) => table.unlink(slot),
        );
        const theirs = visits(
          (visit) => lists.walk(({ slot }) => visit(slot)),
          (slot) => lists.remove(nodes[slot]!),
        );
        expect(ours).toEqual(theirs);
      }),
    );
  });

  test('holds any number of slots of one hash', () => {
    const { table, keyed } = tableOf(1, 5 * LINE.slots);
    for (let slot = 0; slot < 5 * LINE.slots; slot++) table.link(slot, keyed(slot), 7);
    for (let slot = 0; slot < 5 * LINE.slots; slot++) expect(table.find(keyed(slot), 7)).toBe(slot);
    expect(table.slots()).toEqual(Array.from({ length: 5 * LINE.slots }, (_, index) => 5 * LINE.slots - 1 - index));
  });
});
