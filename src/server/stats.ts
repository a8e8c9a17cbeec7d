import type { App } from './app.ts';
import { problems, refTo } from './contract/common.ts';
import { Stats } from './contract/stats.ts';
import type { Figures } from './figures.ts';

export async function stats(app: App, { figures }: { readonly figures: Figures }): Promise<void> {
  app.route({
    method: 'GET',
    url: '/stats',
    schema: {
      tags: ['operation'],
      summary: 'The figures of /metrics as JSON',
      response: { 200: refTo(Stats, 'Of this moment'), ...problems() },
    },
    handler: () => figures(),
  });
}
