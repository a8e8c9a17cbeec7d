/** What is used of pcap-parser 0.2.1, which comes without types. */
declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';
  import type { Readable } from 'node:stream';

  interface ParsedPacket {
    readonly header: {
      readonly timestampSeconds: number;
      readonly timestampMicroseconds: number;
      readonly capturedLength: number;
      readonly originalLength: number;
    };
    readonly data: Uint8Array;
  }
  interface ParserEvents {
    globalHeader: [header: { readonly linkLayerType: number }];
    packet: [packet: ParsedPacket];
    end: [];
    error: [error: Error];
  }
  export function parse(stream: Readable): EventEmitter<ParserEvents>;
}
