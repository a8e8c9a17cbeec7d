import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '../failure.ts';
import { requestedFlows } from './flows.ts';
import { requestedPart } from './part.ts';
import type { WorkerRequest } from './run.ts';

const request = workerData as WorkerRequest;
try {
  parentPort!.postMessage({ part: request.by === 'flow' ? requestedFlows(request) : requestedPart(request) });
} catch (error) {
  parentPort!.postMessage({ failure: failureOf(error) });
}
