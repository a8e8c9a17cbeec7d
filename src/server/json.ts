import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import type { App } from './app.ts';

/**
 * How what comes is judged by the routes' schemas, and what goes is written. Clients poll, on the processors that
 * replays want: both are to cost little. Call before the routes are made.
 */
export function speakJson(app: App): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart, ...part }) => {
    // A body that has schemas by media type is a stream, and is judged by whoever reads it.
    if (httpPart === 'body' && (part as { contentType?: string }).contentType !== undefined) return () => true;
    const compiled = Compile(schema);
    return (given: unknown) => {
      if (compiled.Check(given)) return { value: given };
      // What is no body comes as text: `5` may be the number that is asked for.
      const value = httpPart === 'body' ? given : Value.Convert(schema, given);
      return compiled.Check(value) ? { value } : { error: compiled.Errors(value) as unknown as Error };
    };
  });
  // The engine's own: it is faster than serializers made of the schemas, and those take seconds to be made.
  app.setSerializerCompiler(() => JSON.stringify);
}
