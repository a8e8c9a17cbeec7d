import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { Settings } from 'typebox/system';
import { databaseFault } from './database.ts';
import { faultsThatMatter } from './faults.ts';
import { PROBLEM_TYPE, PROBLEMS, Problem, type ProblemCode, problemDocument } from './problems.ts';

/** Codes of fastify, its plugins and the file system that stand for one of our problems. */
const FOREIGN: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_VALIDATION: 'validation',
  FST_ERR_CTP_BODY_TOO_LARGE: 'too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'upload-cut',
  FST_ERR_NOT_FOUND: 'route-not-found',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'unsupported-media-type',
  FST_PARTS_LIMIT: 'malformed-multipart',
  FST_FILES_LIMIT: 'malformed-multipart',
  FST_FIELDS_LIMIT: 'malformed-multipart',
  FST_PROTO_VIOLATION: 'malformed-multipart',
  FST_INVALID_JSON_FIELD_ERROR: 'malformed-multipart',
  FST_MP_PREMATURE_CLOSE: 'upload-cut',
  FST_ERR_REOPENED_CLOSE_SERVER: 'not-ready',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
};

/** A union complains of each of its alternatives: enough for all that it has, and not for all that a client can do. */
Settings.Set({ maxErrors: 100 });

const HELP: Readonly<Partial<Record<ProblemCode, string>>> = {
  'no-space': 'nothing was kept; make room on the disk of the data directory and send it again; ',
  'data-damaged': 'the daemon goes on with what it can read; ',
};

/** Makes every answer that is an error a problem document, and gives every answer its request's id. */
export function answerWithProblems(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  app.setErrorHandler<FastifyError>(sendError);
  app.setNotFoundHandler((request) => {
    throw new Problem('route-not-found', `nothing answers ${request.method} ${request.url}; see /v1/openapi.json`);
  });
}

export function sendError(error: FastifyError | Problem, request: FastifyRequest, reply: FastifyReply): void {
  const { code, detail, extra } = describe(error, request);
  const { status } = PROBLEMS[code];
  // To ask again is no failure of the daemon's.
  if (status === 503) request.log.warn({ problem: code, detail }, 'request put off');
  else if (status >= 500) request.log.error({ err: error }, 'request failed');
  else request.log.info({ problem: code, detail }, 'request refused');
  // A string is sent as it is.
  reply
    .code(status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemDocument(code, detail, request.id, extra)));
}

function describe(error: FastifyError | Problem, request: FastifyRequest) {
  if (error instanceof Problem) return { code: error.code, detail: error.message, extra: error.extra };
  if (error.validation !== undefined) {
    // An unknown member is told twice: as itself, and by the object that has it, which names it.
    const faults = faultsThatMatter(error.validation).filter(({ keyword }) => keyword !== 'boolean');
    const errors = faults.map((one) => {
      const told = one.params.additionalProperties ?? one.params.allowedValues;
      const names = Array.isArray(told) ? `: ${told.join(', ')}` : '';
      return { at: `${error.validationContext ?? 'body'}${one.instancePath}`, message: `${one.message ?? ''}${names}` };
    });
    const detail = errors.map(({ at, message }) => `${at} ${message}`).join('; ');
    return { code: 'validation', detail, extra: { errors } } as const;
  }
  const code = problemCode(error);
  // What broke inside is told to whoever reads the log; its words may hold paths.
  if (PROBLEMS[code].status >= 500 && error.statusCode === undefined) {
    return { code, detail: `${HELP[code] ?? ''}the log tells more under request id ${request.id}`, extra: {} };
  }
  if (code === 'unsupported-media-type') {
    const type = request.headers['content-type'] ?? 'without a content type';
    return { code, detail: `a body ${type} is not accepted here; see /v1/openapi.json`, extra: {} };
  }
  return { code, detail: error.message, extra: {} };
}

/** Which of our problems an error stands for; `internal` where it stands for none. */
export function problemCode(error: unknown): ProblemCode {
  const fault = databaseFault(error);
  if (fault !== undefined) return fault === 'full' ? 'no-space' : fault === 'damaged' ? 'data-damaged' : 'internal';
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  return FOREIGN[code ?? ''] ?? (isClientError(statusCode) ? 'bad-request' : 'internal');
}

function isClientError(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/**
 * Call before the routes are made; the function that it returns, after: every path of theirs then answers the methods
 * that it does not have with 405 and the list of those it has (RFC 9110, section 15.5.6).
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }: RouteOptions) => {
    const methods = methodsOf.get(url) ?? new Set();
    methodsOf.set(url, methods);
    for (const one of [method].flat()) methods.add(one);
  });
  return () => {
    for (const [url, methods] of [...methodsOf]) {
      if (url.includes('*')) continue;
      const allowed = [...methods].join(', ');
      const method = METHODS.filter((one) => !methods.has(one));
      const refuse = async (request: FastifyRequest, reply: FastifyReply) => {
        reply.header('allow', allowed);
        throw new Problem('method-not-allowed', `${request.method} is not allowed here; these are: ${allowed}`);
      };
      // In onRequest, before a body is read.
      if (method.length > 0) app.route({ method, url, schema: { hide: true }, onRequest: refuse, handler: refuse });
    }
  };
}
