import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { databaseFault, openDatabase } from './database.ts';

const folder = mkdtempSync(join(tmpdir(), 'bpfreplay-database-'));
const path = join(folder, 'x.sqlite');
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('of some size is read through where it was not closed, and only there', () => {
  const database = openDatabase(path);
  database.exec('CREATE TABLE filler (x BLOB); PRAGMA synchronous = OFF');
  database.exec(
    'INSERT INTO filler WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT zeroblob(1e6) FROM n',
  );
  database.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(100_000, 0xff), 0, 100_000, 20_000_000);
  closeSync(file);

  const told: number[] = [];
  const open = () => openDatabase(path, (bytes) => told.push(bytes)).close();
  open();
  expect(told).toEqual([]);
  // As one leaves it that is killed.
  writeFileSync(`${path}-wal`, '');
  let fault: unknown;
  try {
    open();
  } catch (error) {
    fault = databaseFault(error);
  }
  expect(fault).toBe('damaged');
  expect(told).toEqual([statSync(path).size]);
});
