/** The interfaces of the virtual host, by index. */
export interface Interfaces {
  /** Undefined when there is none of that index. */
  get(ifindex: number): Interface | undefined;
}

export interface Interface {
  readonly ifindex: number;
  readonly name: string;
  /** Bytes of L3 payload. */
  readonly mtu: number;
  /** 14 for Ethernet. */
  readonly headerLength: number;
  /** Six bytes. */
  readonly address: Uint8Array;
  readonly isUp: boolean;
  /** Whether packets that arrive here are forwarded. */
  readonly forwards: Readonly<Record<Family, boolean>>;
}

/** Version of IP. */
export type Family = 4 | 6;
