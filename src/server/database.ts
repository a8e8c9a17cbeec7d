import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Each brings the database one version further and, once released, is never changed. Records are JSON: the contract
 * gives their shape. What a query asks for is a column beside it, or, for the programs behind the first of a pipeline,
 * which are several, a row of `stages`. `seq` is the order in which records were added.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE programs (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
   CREATE TABLE captures (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
   CREATE TABLE replays (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL,
     finished INTEGER NOT NULL, program TEXT NOT NULL, capture TEXT NOT NULL
   ) STRICT;
   CREATE INDEX unfinished ON replays (seq) WHERE finished = 0;`,
  `CREATE TABLE streams (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL,
     running INTEGER NOT NULL, program TEXT NOT NULL
   ) STRICT;`,
  `ALTER TABLE replays ADD COLUMN ended TEXT GENERATED ALWAYS AS (json_extract(record, '$.finishedAt')) VIRTUAL;
   CREATE INDEX ended ON replays (ended);
   CREATE INDEX of_program ON replays (program, ended);
   CREATE INDEX of_capture ON replays (capture, ended);`,
  `CREATE TABLE templates (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
   CREATE TABLE edits (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, replay TEXT NOT NULL, record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX edits_of ON edits (replay, seq);
   CREATE TRIGGER edits_go AFTER DELETE ON replays BEGIN DELETE FROM edits WHERE replay = old.id; END;
   UPDATE replays SET record = json_set(record, '$.stopped', NULL, '$.edits', 0, '$.progress.rate', 0);
   UPDATE replays SET record = json_set(record, '$.tally.protocols', json('{}'), '$.tally.interfaces', json('{}'),
     '$.tally.sizes', json('[]')) WHERE json_type(record, '$.tally') = 'object';
   UPDATE programs SET record = json_set(record, '$.maps',
     (SELECT json_group_array(json(json_set(value, '$.key', NULL, '$.value', NULL))) FROM json_each(record, '$.maps')));`,
  `UPDATE replays SET record = json_set(record, '$.partial', json('false'));`,
  `CREATE TABLE stages (program TEXT NOT NULL, replay TEXT NOT NULL, ended TEXT) STRICT;
   CREATE INDEX stages_by ON stages (program, ended);
   CREATE INDEX stages_of ON stages (replay);
   INSERT INTO stages SELECT DISTINCT value ->> 'program', replays.id, ended
     FROM replays, json_each(record, '$.request.pipeline');
   CREATE TRIGGER stages_come AFTER INSERT ON replays BEGIN
     INSERT INTO stages SELECT DISTINCT value ->> 'program', new.id, new.ended
       FROM json_each(new.record, '$.request.pipeline');
   END;
   CREATE TRIGGER stages_end AFTER UPDATE ON replays BEGIN UPDATE stages SET ended = new.ended WHERE replay = new.id; END;
   CREATE TRIGGER stages_go AFTER DELETE ON replays BEGIN DELETE FROM stages WHERE replay = old.id; END;`,
];

/** How long a daemon that is closing may keep the one that follows it waiting, in milliseconds. */
const PATIENCE = 2_000;

/** Bytes of a database that is read from end to end whenever it is opened: that takes well below a second. */
const SMALL = 32 * 2 ** 20;

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const BUSY = 5;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

export type DatabaseFault = 'busy' | 'damaged' | 'full' | 'other';

/** What an error of SQLite means; undefined where it is not one. Extended codes hold the primary one in their low byte. */
export function databaseFault(error: unknown): DatabaseFault | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: number };
  if (code !== 'ERR_SQLITE_ERROR' || errcode === undefined) return undefined;
  const primary = errcode & 0xff;
  if (primary === BUSY) return 'busy';
  if (primary === FULL) return 'full';
  return primary === CORRUPT || primary === NOT_A_DATABASE ? 'damaged' : 'other';
}

/** The file is an intact database, and not one that we can read. */
export class NewerDatabase extends Error {
  override readonly name = 'NewerDatabase';
}

/**
 * Opens the database for this process alone, and brings it to the newest version. Reads it once from end to end where it
 * is small, or was not closed; `onLong` is told its bytes where that may take a while. The lock is the operating system's: it ends
 * with the process, however that ends. What is committed is on disk (`synchronous=FULL`). Throws SQLite's error, or
 * `NewerDatabase`.
 */
export function openDatabase(path: string, onLong: (bytes: number) => void = () => {}): DatabaseSync {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  // Who closes the database last removes its log (sqlite.org/wal.html, section 2.2); who is killed leaves it.
  const wasClosed = !existsSync(`${path}-wal`);
  const database = new DatabaseSync(path, { timeout: PATIENCE });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT');
    if (bytes > SMALL && !wasClosed) onLong(bytes);
    if (bytes <= SMALL || !wasClosed) check(database);
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function check(database: DatabaseSync): void {
  const { quick_check: found } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (found !== 'ok') throw damaged(found);
}

function migrate(database: DatabaseSync): void {
  const { version } = database.prepare('SELECT coalesce(max(version), 0) AS version FROM migrations').get() as {
    version: number;
  };
  if (version > MIGRATIONS.length) {
    throw new NewerDatabase(
      `it is of version ${version}, and this bpfreplay knows versions up to ${MIGRATIONS.length}`,
    );
  }
  const note = database.prepare('INSERT INTO migrations (version, at) VALUES (?, ?)');
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < version) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(migration);
      note.run(index + 1, new Date().toISOString());
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }
}

function damaged(what: string): Error {
  return Object.assign(new Error(what), { code: 'ERR_SQLITE_ERROR', errcode: CORRUPT });
}
