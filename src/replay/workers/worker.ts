import { parentPort } from 'node:worker_threads';
import { packError } from '../failure.ts';
import type { WorkerAnswer, WorkerRequest } from './crew.ts';
import { requestedFlows } from './flows.ts';
import { requestedPart } from './part.ts';

parentPort!.once('message', (request: WorkerRequest) => parentPort!.postMessage(answerTo(request)));

function answerTo(request: WorkerRequest): WorkerAnswer<unknown> {
  try {
    return { part: request.by === 'flow' ? requestedFlows(request) : requestedPart(request) };
  } catch (error) {
    return { error: packError(error) };
  }
}
