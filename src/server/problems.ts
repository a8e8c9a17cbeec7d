/**
 * Every error that the API answers with, as `application/problem+json` (RFC 9457). `code` is stable and
 * machine-readable; the title says the same for every occurrence, the detail what happened this time.
 */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  validation: { status: 400, title: 'The request does not match its schema' },
  'malformed-json': { status: 400, title: 'The body is not the JSON it says it is' },
  'malformed-multipart': { status: 400, title: 'The multipart form cannot be read' },
  'malformed-encoding': { status: 400, title: 'The compressed body cannot be decompressed' },
  'no-body': { status: 400, title: 'The request has no body' },
  'upload-cut': { status: 400, title: 'The upload ended before it was complete' },
  unauthorized: { status: 401, title: 'A token is needed' },
  'insufficient-scope': { status: 403, title: 'The token does not allow this' },
  'foreign-origin': { status: 403, title: 'A page of another site asks' },
  'route-not-found': { status: 404, title: 'There is nothing at this address' },
  'program-not-found': { status: 404, title: 'There is no such program' },
  'capture-not-found': { status: 404, title: 'There is no such capture' },
  'replay-not-found': { status: 404, title: 'There is no such replay' },
  'stream-not-found': { status: 404, title: 'There is no such stream' },
  'template-not-found': { status: 404, title: 'There is no such template' },
  'map-not-found': { status: 404, title: 'The program has no such map' },
  'packet-not-found': { status: 404, title: 'The replay has no such packet' },
  'entry-not-found': { status: 404, title: 'The map has no such entry' },
  'not-recorded': { status: 404, title: 'The replay did not record this' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  timeout: { status: 408, title: 'The request did not come to its end in time' },
  'in-use': { status: 409, title: 'A replay that has not finished, or a stream that runs, uses it' },
  'replay-not-finished': { status: 409, title: 'The replay has not finished' },
  'replay-not-running': { status: 409, title: 'The replay has not begun' },
  'not-explained': { status: 409, title: 'What the packet met cannot be found out again' },
  'map-refuses': { status: 409, title: 'The map does not take the edit' },
  'stream-busy': { status: 409, title: 'The stream reads a capture already' },
  'stream-ended': { status: 409, title: 'The stream does not run any more' },
  'wrong-source': { status: 409, title: 'The stream takes its captures from elsewhere' },
  'source-unavailable': { status: 409, title: 'The source of the stream cannot be opened' },
  'too-large': { status: 413, title: 'The body is larger than allowed' },
  'unsupported-media-type': { status: 415, title: 'The body is of a type that is not accepted here' },
  'range-not-satisfiable': { status: 416, title: 'The file has no byte in the range' },
  'unknown-host': { status: 421, title: 'The request is meant for another host' },
  'bad-object': { status: 422, title: 'The file is not an eBPF object that can be read' },
  'bad-capture': { status: 422, title: 'The file is not a capture that can be read' },
  'unknown-program': { status: 422, title: 'The replay names a program that is not there' },
  'unknown-capture': { status: 422, title: 'The replay names a capture that is not there' },
  'unknown-entry': { status: 422, title: 'The object has no such program to run' },
  'unknown-source': { status: 422, title: 'The stream names a source that the daemon does not offer' },
  'program-refused': { status: 422, title: 'The verifier refused the program' },
  'bad-map-entry': { status: 422, title: 'The key or the value is not one of the map' },
  'bad-filter': { status: 422, title: 'The filter cannot be used' },
  'too-many-requests': { status: 429, title: 'More is asked than the daemon has room for' },
  'rate-limited': { status: 429, title: 'Requests come too fast' },
  'headers-too-large': { status: 431, title: 'The headers are larger than allowed' },
  internal: { status: 500, title: 'The daemon failed' },
  'data-damaged': { status: 500, title: 'Something in the data directory is damaged or gone' },
  overloaded: { status: 503, title: 'The daemon is overloaded' },
  'not-ready': { status: 503, title: 'The daemon is not ready' },
  'no-space': { status: 507, title: 'The data directory is full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** What a handler throws to answer with a problem. `extra` become members of the problem beside the standard ones. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(code: ProblemCode, detail: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.code = code;
    this.extra = extra;
  }
}

/** The document that is sent. `instance` names this occurrence: the request's id, which the log holds too. */
export function problemDocument(code: ProblemCode, detail: string, requestId: string, extra: object = {}) {
  const { status, title } = PROBLEMS[code];
  return {
    type: `urn:bpfreplay:problem:${code}`,
    title,
    status,
    code,
    detail,
    instance: `urn:uuid:${requestId}`,
    ...extra,
  };
}

export const PROBLEM_TYPE = 'application/problem+json';
