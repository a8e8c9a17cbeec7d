import { parentPort, workerData } from 'node:worker_threads';
import type { MapEdit } from '../engine/map-desk.ts';
import { answer } from './answer.ts';
import { goToBackground } from './background.ts';
import { failureOf } from './failure.ts';
import { loadSubject } from './load.ts';
import type { StreamOrder, StreamReport, StreamRequest } from './stream-protocol.ts';
import { StreamRun } from './stream-run.ts';
import type { DoneEdit } from './worker-protocol.ts';

/** How often the state is told while packets come, in milliseconds. */
const STATE_INTERVAL = 200;

const post = (report: StreamReport) => parentPort!.postMessage(report);

function run({ window, ...files }: StreamRequest): void {
  const subject = loadSubject(files);
  const stream = new StreamRun(subject, window);
  let told = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    clearTimeout(timer);
    timer = undefined;
    told = performance.now();
    post({ type: 'state', state: stream.takeState() });
  };
  const tellSoon = () => {
    const wait = told + STATE_INTERVAL - performance.now();
    if (wait <= 0) tell();
    else timer ??= setTimeout(tell, wait);
  };
  const edit = (wanted: MapEdit): DoneEdit => {
    subject.desk.apply(wanted);
    return { ...wanted, before: stream.frames };
  };
  parentPort!.on('message', (order: StreamOrder) => {
    switch (order.type) {
      case 'chunk':
        post({ type: 'done', bytes: order.bytes.length, good: stream.push(order.bytes) });
        return tellSoon();
      case 'end': {
        const end = stream.end();
        tell();
        return post({ type: 'ended', end });
      }
      default:
        subject.desk.refresh();
        return post({ type: 'answer', answer: answer(subject.desk, order.question, edit) });
    }
  });
  post({ type: 'ready', state: stream.takeState() });
}

goToBackground();
try {
  run(workerData as StreamRequest);
} catch (error) {
  post({ type: 'failed', error: failureOf(error) });
}
