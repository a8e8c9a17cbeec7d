import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { decodeUtf8 } from '../base/bytes.ts';
import { Instance } from '../engine/instance.ts';
import { assembleObject, readObject } from '../engine/read-object.ts';
import { failureOf } from './failure.ts';
import type { StreamOrder, StreamReport, StreamRequest } from './stream-protocol.ts';
import { StreamRun } from './stream-run.ts';

/** How often the state is told while packets come, in milliseconds. */
const STATE_INTERVAL = 200;

const post = (report: StreamReport) => parentPort!.postMessage(report);

function run({ object, assembly, options, window }: StreamRequest): void {
  const bytes = readFileSync(object);
  const spec = assembly === undefined ? readObject(bytes) : assembleObject(decodeUtf8(bytes), assembly);
  const instance = new Instance(spec, options);
  const stream = new StreamRun(instance, window);
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
        return post({ type: 'maps', maps: instance.dumpMaps() });
    }
  });
  post({ type: 'ready', state: stream.takeState() });
}

try {
  run(workerData as StreamRequest);
} catch (error) {
  post({ type: 'failed', error: failureOf(error) });
}
