import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MapDesk } from '../engine/map-desk.ts';
import { keepMaps } from '../engine/map-keeper.ts';
import { answer } from './answer.ts';
import { goToBackground } from './background.ts';
import type { ControlOptions } from './control.ts';
import { failureOf } from './failure.ts';
import { explainPacket, type Progress, runReplay } from './job.ts';
import { objectsOf } from './load.ts';
import { readMapsFile } from './maps-file.ts';
import type {
  KeepRequest,
  MapReply,
  MapRequest,
  ReplayMessage,
  ReplayOrder,
  ReplayRequest,
  ReplayResult,
  WorkerJob,
} from './worker-protocol.ts';

const PROGRESS_INTERVAL = 200;

const port = parentPort as MessagePort;
const post = (message: ReplayMessage) => port.postMessage(message);
const reply = (id: number, given: MapReply['answer']) => post({ type: 'answer', id, answer: given });

/** Packets run one after the other without a pause: what has come is asked for between two of them. */
function serve(desk: MapDesk): NonNullable<ControlOptions['poll']> {
  return (edit) => {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const order = next.message as ReplayOrder;
      if (order === 'cancel') return 'cancelled';
      reply(order.id, answer(desk, order.question, edit));
    }
    return undefined;
  };
}

function replay(request: ReplayRequest): void {
  let last = 0;
  let untold: Progress | undefined;
  const tell = (progress: Progress) => {
    last = performance.now();
    untold = undefined;
    post({ type: 'progress', ...progress });
  };
  const onProgress = (progress: Progress) => {
    untold = progress;
    if (performance.now() - last >= PROGRESS_INTERVAL) tell(progress);
  };
  let result: ReplayResult;
  try {
    result = runReplay(request, onProgress, serve);
  } finally {
    // What was decided counts, even where it fails now.
    if (untold !== undefined) tell(untold);
  }
  post({ type: 'done', result });
}

/** Lives until it is ended from outside. */
function keep({ contents, edits, options, ...first }: KeepRequest): void {
  const stages = objectsOf(first);
  const objects = stages.filter(({ object }, index) => stages.findIndex((each) => each.object === object) === index);
  const desk = keepMaps(objects, readMapsFile(contents), options);
  for (const edit of edits) desk.apply(edit);
  port.on('message', ({ id, question }: MapRequest) => {
    const given = answer(desk, question, (edit) => {
      desk.apply(edit);
      return { ...edit, before: null };
    });
    reply(id, given);
  });
}

goToBackground();
const job = workerData as WorkerJob;
try {
  if (job.do === 'replay') replay(job.request);
  else if (job.do === 'explain') post({ type: 'explained', explanation: explainPacket(job.request) });
  else keep(job.request);
} catch (error) {
  post({ type: 'failed', error: failureOf(error) });
}
