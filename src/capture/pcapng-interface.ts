import { decodeUtf8, Reader } from '../base/bytes.ts';
import type { CaptureInterface } from './frame.ts';
import { createTicks, resolutionOf, type Ticks } from './ticks.ts';

/** draft-ietf-opsawg-pcapng, "Interface Description Block Options": those that change how packets are read or named. */
const OPTION = { END: 0, NAME: 2, DESCRIPTION: 3, TSRESOL: 9, FCSLEN: 13, TSOFFSET: 14 } as const;

/** Names are kept for as long as the capture is read, so that their length has a bound of its own. */
const LONGEST_NAME = 256;

/** Microseconds, "if this option is not present". */
const DEFAULT_TSRESOL = 6;

/**
 * Reads the body of an interface description block. `refuse` makes the error for a malformed option at an offset of
 * the body.
 */
export function describeInterface(
  body: Uint8Array,
  littleEndian: boolean,
  section: number,
  refuse: (message: string, offset: number) => Error,
): { readonly interface: CaptureInterface; readonly ticks: Ticks } {
  const reader = new Reader(body, littleEndian);
  let name: string | undefined;
  let description: string | undefined;
  let tsresol = DEFAULT_TSRESOL;
  let fcsLength = 0;
  let timeOffset = 0;

  let at = 8;
  while (at + 4 <= body.length) {
    const code = reader.u16(at);
    const length = reader.u16(at + 2);
    if (code === OPTION.END) break;
    const value = at + 4;
    if (value + length > body.length) {
      throw refuse(`interface option ${code} of ${length} bytes leaves its block`, at);
    }
    const mustHave = (size: number) => {
      if (length !== size) throw refuse(`interface option ${code} has ${length} bytes instead of ${size}`, at);
    };
    if (code === OPTION.NAME) name = text(reader, value, length);
    else if (code === OPTION.DESCRIPTION) description = text(reader, value, length);
    else if (code === OPTION.TSRESOL) {
      mustHave(1);
      tsresol = reader.u8(value);
    } else if (code === OPTION.FCSLEN) {
      mustHave(1);
      // The text says bits and its example says '4': writers do either, and no link layer has an FCS of 8 bytes.
      const said = reader.u8(value);
      fcsLength = said >= 8 ? said >>> 3 : said;
    } else if (code === OPTION.TSOFFSET) {
      mustHave(8);
      timeOffset = Number(reader.s64(value));
      if (!Number.isSafeInteger(timeOffset)) throw refuse(`a time offset of ${timeOffset} seconds`, at);
    }
    at = value + length + (-length & 3);
  }

  const resolution = resolutionOf(tsresol);
  return {
    interface: {
      section,
      linkType: reader.u16(0),
      snapLength: reader.u32(4),
      fcsLength,
      resolution: `${resolution.base}^-${resolution.exponent}`,
      timeOffset,
      name,
      description,
    },
    ticks: createTicks(resolution, timeOffset),
  };
}

/** "Software MUST treat a zero-value octet as a string terminator." */
function text(reader: Reader, offset: number, length: number): string {
  const bytes = reader.slice(offset, Math.min(length, LONGEST_NAME));
  const zero = bytes.indexOf(0);
  return decodeUtf8(zero < 0 ? bytes : bytes.subarray(0, zero));
}
