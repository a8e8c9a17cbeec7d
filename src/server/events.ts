/** One event of a resource, as `text/event-stream` sends it. */
export interface StoredEvent {
  /** Rises by one with each event of the resource. */
  readonly id: number;
  readonly event: string;
  /** JSON. */
  readonly data: string;
}

/** So many of the last events can be asked for again, by resource. */
const KEPT = 128;
/** Of a resource that has ended, in milliseconds. */
const KEPT_AFTER_END = 60_000;

interface Channel {
  last: number;
  readonly kept: StoredEvent[];
  readonly listeners: Set<() => void>;
}

/**
 * Events of resources that change, such as replays. Nothing waits for a listener: it is told that there is something
 * new, and takes what is still kept of it.
 */
export class Events {
  readonly #channels = new Map<string, Channel>();
  #closed = false;

  /** The daemon closes: who listens is told, and is to go. */
  get isClosed(): boolean {
    return this.#closed;
  }

  publish(resource: string, event: string, data: unknown): void {
    const channel = this.#channel(resource);
    channel.kept.push({ id: ++channel.last, event, data: JSON.stringify(data) });
    if (channel.kept.length > KEPT) channel.kept.shift();
    for (const listener of channel.listeners) listener();
  }

  /** Nothing more comes of it; what came is kept for a while. */
  end(resource: string): void {
    setTimeout(() => this.#channels.delete(resource), KEPT_AFTER_END).unref();
  }

  close(): void {
    this.#closed = true;
    for (const { listeners } of this.#channels.values()) for (const listener of listeners) listener();
  }

  /** What came after the event `id`, as far as it is kept; undefined where some of it is not. */
  after(resource: string, id: number): readonly StoredEvent[] | undefined {
    const channel = this.#channels.get(resource);
    if (channel === undefined || id > channel.last) return undefined;
    const first = channel.kept[0]?.id ?? channel.last + 1;
    return id + 1 < first ? undefined : channel.kept.slice(id + 1 - first);
  }

  /** The id of the last event; 0 where there was none. */
  last(resource: string): number {
    return this.#channels.get(resource)?.last ?? 0;
  }

  /** `listener` is called whenever there is something new. Returns what ends that. */
  listen(resource: string, listener: () => void): () => void {
    const channel = this.#channel(resource);
    channel.listeners.add(listener);
    return () => {
      channel.listeners.delete(listener);
      // Made for this listener only: nothing ever came.
      if (channel.listeners.size === 0 && channel.last === 0) this.#channels.delete(resource);
    };
  }

  #channel(resource: string): Channel {
    let channel = this.#channels.get(resource);
    if (channel === undefined) {
      channel = { last: 0, kept: [], listeners: new Set() };
      this.#channels.set(resource, channel);
    }
    return channel;
  }
}
