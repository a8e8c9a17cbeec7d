import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { FastifyBaseLogger } from 'fastify';
import { OptionError } from '../base/errors.ts';
import { type DatabaseFault, databaseFault, NewerDatabase, openDatabase } from './database.ts';
import { DataFiles, type Owned } from './files.ts';
import { createStore, type Store } from './store.ts';

/** The data directory: records in a database, files by digest. One daemon at a time works in it. */
export interface Data {
  readonly store: Store;
  readonly files: DataFiles;
  close(): void;
}

const DATABASE = 'bpfreplay.sqlite';
/** Says who works here. Only words: the lock is the database's. */
const HOLDER = 'daemon.json';

/**
 * Takes the data directory, makes it where it is not there, and removes what a daemon that was killed left half done.
 * Throws an `OptionError` that says why it cannot be used.
 */
export async function openData(root: string, log?: Pick<FastifyBaseLogger, 'info'>): Promise<Data> {
  await makeFolder(root);
  const database = await takeDatabase(root, log);
  try {
    await writeHolder(root);
    const store = createStore(database);
    const files = await DataFiles.open(root);
    await files.sweep(await owner(store));
    return { store, files, close: () => database.close() };
  } catch (error) {
    database.close();
    throw error;
  }
}

async function takeDatabase(root: string, log?: Pick<FastifyBaseLogger, 'info'>): Promise<DatabaseSync> {
  try {
    return openDatabase(join(root, DATABASE), (bytes) => {
      log?.info({ bytes }, 'the database was not closed, and is read through first');
    });
  } catch (error) {
    const fault = databaseFault(error);
    if (fault === undefined && !(error instanceof NewerDatabase)) throw error;
    const { code, message } = await explain(root, error instanceof NewerDatabase ? 'newer' : fault!, error as Error);
    throw new OptionError(code, message);
  }
}

async function explain(root: string, fault: DatabaseFault | 'newer', { message }: Error) {
  const path = join(root, DATABASE);
  switch (fault) {
    case 'busy':
      return { code: 'data-in-use', message: `${root} is in use by ${await holder(root)}; one daemon at a time` };
    case 'damaged':
      return {
        code: 'data-damaged',
        message:
          `the database ${path} is damaged (${message}). Put a copy of it in its place, or move it and its -wal file ` +
          'away: the daemon then starts empty',
      };
    case 'newer':
      return { code: 'data-newer', message: `the database ${path} was written by a newer bpfreplay: ${message}` };
    default:
      return { code: 'data-unusable', message: `the database ${path} cannot be used: ${message}` };
  }
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

async function writeHolder(root: string): Promise<void> {
  const startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString();
  const text = JSON.stringify({ pid: process.pid, host: hostname(), since: startedAt } satisfies Holder);
  await writeFile(join(root, `${HOLDER}.part`), text);
  await rename(join(root, `${HOLDER}.part`), join(root, HOLDER));
}

async function holder(root: string): Promise<string> {
  try {
    const { pid, host, since } = JSON.parse(await readFile(join(root, HOLDER), 'utf8')) as Holder;
    return `the daemon with pid ${pid} on ${host}, started ${since}`;
  } catch {
    return 'another process';
  }
}

/** Recordings of a replay that has not finished are nobody's: it is run again from the start. */
async function owner({ programs, captures, replays, unfinished }: Store): Promise<Owned> {
  const again = new Set(await unfinished());
  const collections = { program: programs, capture: captures };
  return async (kind, id) => {
    const collection = kind === 'program' || kind === 'capture' ? collections[kind] : replays;
    return !again.has(id) && (await collection.get(id)) !== undefined;
  };
}

/**
 * Makes a folder and those above it, one by one: Node's own recursive `mkdir` never returns where a file system such
 * as procfs takes no folders. Throws an `OptionError`.
 */
async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !(await isFolder(folder)); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw new OptionError('data-unusable', `${path} cannot be made: ${error.message}`);
    });
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new OptionError('data-unusable', `${path} cannot be used: ${(error as Error).message}`);
  }
  throw new OptionError('data-unusable', `${path} is not a folder`);
}
