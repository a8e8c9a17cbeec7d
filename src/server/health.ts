import { Type } from 'typebox';
import type { App } from './app.ts';
import { problems, strict } from './contract/common.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';

const tags = ['operation'];
const Status = strict({ status: Type.Literal('ok') });

export async function health(app: App, { files }: Services): Promise<void> {
  app.route({
    method: 'GET',
    url: '/livez',
    schema: { tags, summary: 'The process answers', response: { 200: Status } },
    handler: async () => ({ status: 'ok' as const }),
  });
  app.route({
    method: 'GET',
    url: '/readyz',
    schema: { tags, summary: 'Work can be taken', response: { 200: Status, ...problems('not-ready') } },
    handler: async () => {
      try {
        await files.checkWritable();
      } catch {
        throw new Problem('not-ready', 'no file can be made in the data directory');
      }
      return { status: 'ok' as const };
    },
  });
}
