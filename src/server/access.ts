import { createHash, timingSafeEqual } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { OptionError } from '../base/errors.ts';
import { Problem } from './problems.ts';

/** Bearer tokens (RFC 6750) by what they allow. Without any, nobody is asked. */
export interface Tokens {
  /** Everything. */
  readonly full?: string;
  /** GET and HEAD. */
  readonly read?: string;
}

export interface TokenFiles {
  readonly tokenFile?: string;
  readonly readTokenFile?: string;
}

/** Where each token comes from: a file, else the environment. Arguments of a process are seen by everybody. */
const SOURCES = [
  { scope: 'full', option: '--token-file', file: 'tokenFile', variable: 'BPFREPLAY_TOKEN' },
  { scope: 'read', option: '--read-token-file', file: 'readTokenFile', variable: 'BPFREPLAY_READ_TOKEN' },
] as const;

/** What a bearer token is made of (RFC 6750, section 2.1), and long enough not to be guessed. */
const TOKEN = /^[A-Za-z0-9._~+/-]{16,}=*$/;

/** Throws an `OptionError` for a token that cannot be used. */
export async function readTokens(files: TokenFiles, environment: NodeJS.ProcessEnv): Promise<Tokens> {
  const tokens: { -readonly [scope in keyof Tokens]: Tokens[scope] } = {};
  for (const { scope, option, file, variable } of SOURCES) {
    const path = files[file];
    const token = path === undefined ? environment[variable] : (await readToken(option, path)).trim();
    if (token === undefined || (path === undefined && token === '')) continue;
    if (!TOKEN.test(token)) {
      const from = path === undefined ? variable : `${option} ${path}`;
      throw new OptionError(
        'bad-token',
        `the token of ${from} is to be 16 or more letters, digits and . _ ~ + / -; \`openssl rand -hex 32\` makes one`,
      );
    }
    tokens[scope] = token;
  }
  if (tokens.full !== undefined && tokens.full === tokens.read) {
    throw new OptionError('bad-token', 'the token that reads is the one that may do everything; they are to differ');
  }
  return tokens;
}

function readToken(option: string, path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: Error) => {
    throw new OptionError('bad-token', `${option}: ${error.message}`);
  });
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether an address, or an IPv6 address in brackets as URLs have it, is this machine's own. */
function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Throws an `OptionError` when others than this machine could reach the daemon and nobody would be asked. */
export async function checkExposure(host: string, tokens: Tokens): Promise<void> {
  if (tokens.full !== undefined || tokens.read !== undefined) return;
  const addresses = host === '' ? [] : await lookup(host, { all: true });
  if (addresses.length > 0 && addresses.every(({ address }) => isLoopback(address))) return;
  throw new OptionError(
    'token-needed',
    `--host ${host || "''"} can be reached from other machines, and nobody would be asked for a token. Give one ` +
      'with --token-file or in BPFREPLAY_TOKEN, or listen on 127.0.0.1',
  );
}

/** Health is asked by what has no token; what describes the API tells nothing of what is in it. */
const OPEN = /^\/(livez$|readyz$|v1\/openapi\.json$|docs(\/|$))/;

/** Makes every route but the open ones ask for a token. Call before the routes are made. */
export function requireTokens(app: FastifyInstance, { full, read }: Tokens): void {
  if (full === undefined && read === undefined) return;
  const isFull = matcher(full);
  const isRead = matcher(read);
  app.addHook('onRequest', async (request, reply) => {
    if (OPEN.test(request.routeOptions.url ?? '')) return;
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token !== undefined && isFull(token)) return;
    const mayRead = token !== undefined && isRead(token);
    if (mayRead && (request.method === 'GET' || request.method === 'HEAD')) return;
    const error = mayRead ? ', error="insufficient_scope"' : token === undefined ? '' : ', error="invalid_token"';
    reply.header('www-authenticate', `Bearer realm="bpfreplay"${error}`);
    if (mayRead)
      throw new Problem('insufficient-scope', `this token reads only; ${request.method} needs the other one`);
    throw new Problem(
      'unauthorized',
      token === undefined ? 'send a token as `authorization: Bearer TOKEN`' : 'the token is not one of the daemon',
    );
  });
}

/**
 * Where nobody is asked for a token, a page that the user's browser shows must not drive the daemon: a page of another
 * site sends its `origin` (RFC 6454, section 7), one whose name was made to mean 127.0.0.1 sends that name as `host`.
 * `host` is the name by which the daemon was told to listen. Call before the routes are made.
 */
export function refuseForeign(app: FastifyInstance, host: string, { full, read }: Tokens): void {
  if (full !== undefined || read !== undefined) return;
  app.addHook('onRequest', ({ headers: { host: authority, origin } }, _, done) => {
    // HTTP/1.0 has none; browsers do not speak it.
    const name = authority === undefined ? host : authority.replace(/:\d*$/, '').toLowerCase();
    if (name !== 'localhost' && name !== host.toLowerCase() && !isLoopback(name)) {
      throw new Problem(
        'unknown-host',
        `this is not ${name}: without a token the daemon answers to localhost, 127.0.0.1 and [::1] only; ` +
          '--token-file lets it be called by any name',
      );
    }
    if (origin !== undefined && origin.toLowerCase() !== `http://${authority?.toLowerCase()}`) {
      throw new Problem('foreign-origin', `a page of ${origin} asks; without a token only the daemon's own pages may`);
    }
    done();
  });
}

/** Takes as long whatever is compared. */
function matcher(expected: string | undefined): (token: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  if (expected === undefined) return () => false;
  const wanted = digest(expected);
  return (token) => timingSafeEqual(digest(token), wanted);
}
