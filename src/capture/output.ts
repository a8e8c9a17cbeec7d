/** Collects small writes into large buffers. A buffer handed to the sink belongs to the sink: it is not used again. */
export interface Output {
  /** Makes room for `size` contiguous bytes, zeroed; they begin at `at` of `bytes` and `view`. */
  reserve(size: number): number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Hands over what was collected. */
  flush(): void;
}

const BUFFER_SIZE = 1024 * 1024;

export function createOutput(sink: (bytes: Uint8Array) => void): Output {
  let bytes = new Uint8Array(BUFFER_SIZE);
  let view = new DataView(bytes.buffer);
  let used = 0;
  const renew = (size: number) => {
    bytes = new Uint8Array(size);
    view = new DataView(bytes.buffer);
    used = 0;
  };
  const output: Output = {
    reserve(size) {
      if (used + size > bytes.length) {
        output.flush();
        if (size > bytes.length) renew(size);
      }
      const at = used;
      used += size;
      return at;
    },
    get bytes() {
      return bytes;
    },
    get view() {
      return view;
    },
    flush() {
      if (used === 0) return;
      const full = bytes.subarray(0, used);
      renew(BUFFER_SIZE);
      sink(full);
    },
  };
  return output;
}
