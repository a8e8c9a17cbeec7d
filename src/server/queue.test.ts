import { describe, expect, it } from 'vitest';
import { CLOSING, memoryQueue } from './queue.ts';

/** Work that ends when it is told to, and a record of what happened. */
function bench(atOnce: number) {
  const events: string[] = [];
  const ends = new Map<string, () => void>();
  const queue = memoryQueue(async (id, signal) => {
    events.push(`start ${id}`);
    await new Promise<void>((resolve) => {
      ends.set(id, resolve);
      signal.addEventListener('abort', () => resolve());
    });
    const how = signal.reason === CLOSING ? CLOSING : 'abort';
    events.push(`${signal.aborted ? how : 'end'} ${id}`);
  }, atOnce);
  const end = async (id: string) => {
    ends.get(id)!();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, events, end };
}

describe('the queue', () => {
  it('runs so many at once, first in first out', async () => {
    const { queue, events, end } = bench(2);
    for (const id of ['a', 'b', 'c', 'd']) queue.add(id);
    expect(events).toEqual(['start a', 'start b']);
    expect([queue.running, queue.waiting]).toEqual([2, 2]);
    await end('b');
    await end('a');
    expect(events).toEqual(['start a', 'start b', 'end b', 'start c', 'end a', 'start d']);
  });

  it('takes out what waits and ends what runs', async () => {
    const { queue, events } = bench(1);
    for (const id of ['a', 'b', 'c']) queue.add(id);
    await queue.cancel('b');
    expect(events).toEqual(['start a']);
    await queue.cancel('a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual(['start a', 'abort a', 'start c']);
  });

  it('that is closed starts nothing more, and ends what does not end by itself', async () => {
    const { queue, events, end } = bench(2);
    for (const id of ['a', 'b', 'c']) queue.add(id);
    const closed = queue.close(50);
    await end('a');
    expect(events).toEqual(['start a', 'start b', 'end a']);
    await closed;
    expect(events).toEqual(['start a', 'start b', 'end a', `${CLOSING} b`]);
    expect(queue.running).toBe(0);
  });
});
