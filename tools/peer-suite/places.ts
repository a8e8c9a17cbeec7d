import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Sources, objects and tools of others: built here, never committed. */
export const PEER = join(ROOT, '.tmp/peer');
export const OBJECTS = join(PEER, 'objects');
export const ORACLE = join(PEER, 'oracle/oracle');
export const RECORDED = join(ROOT, 'test/peer/linux-verdicts.json');
