import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '../failure.ts';
import { type PartRequest, requestedPart } from './part.ts';

try {
  parentPort!.postMessage({ part: requestedPart(workerData as PartRequest) });
} catch (error) {
  parentPort!.postMessage({ failure: failureOf(error) });
}
