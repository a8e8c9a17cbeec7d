import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { LoadError } from '../index.ts';
import { type Answer, disassembleObject, type Found, inspectObject, type Question } from './inspect.ts';

function answer({ path, assemblyType, disassemble }: Question): Answer<Found | string> {
  const start = performance.now();
  try {
    const bytes = readFileSync(path);
    const found =
      disassemble === undefined
        ? inspectObject(bytes, assemblyType)
        : disassembleObject(bytes, disassemble, assemblyType);
    return { found, seconds: (performance.now() - start) / 1000 };
  } catch (error) {
    if (error instanceof LoadError) return { fault: error.detail, message: error.message };
    throw error;
  }
}

parentPort!.postMessage(answer(workerData as Question));
