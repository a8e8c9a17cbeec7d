import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { LoadError } from '../index.ts';
import { type Inspection, inspectObject } from './inspect.ts';

function inspect(path: string): Inspection {
  try {
    return { found: inspectObject(readFileSync(path)) };
  } catch (error) {
    if (error instanceof LoadError) return { fault: error.detail, message: error.message };
    throw error;
  }
}

parentPort!.postMessage(inspect(workerData as string));
