/** The maps of an object, and the name of its program that is told from others by it. */
export interface MapsOf<M> {
  readonly label: string;
  readonly maps: readonly M[];
}

/** The maps that several objects make together: `places` says, by object and by number of its map, which it is. */
export interface JoinedMaps<M> {
  /** Each with the object, by number, that it comes from. */
  readonly maps: readonly { readonly map: M; readonly owner: number }[];
  readonly places: readonly (readonly number[])[];
}

/**
 * Maps that objects pin by name (LIBBPF_PIN_BY_NAME) are one map, as they are one file in the bpf file system. Any other
 * map whose name an earlier object's has already becomes `NAME@PROGRAM`.
 */
export function joinMaps<M extends { readonly name: string }>(
  objects: readonly MapsOf<M>[],
  isPinned: (map: M) => boolean,
): JoinedMaps<M> {
  const joined: { map: M; owner: number }[] = [];
  const places = objects.map(({ label, maps }, owner) => {
    const taken = new Map(joined.map(({ map }, place) => [map.name, place]));
    return maps.map((map) => {
      const place = taken.get(map.name);
      if (place !== undefined && isPinned(map) && isPinned(joined[place]!.map)) return place;
      return joined.push({ map: place === undefined ? map : { ...map, name: `${map.name}@${label}` }, owner }) - 1;
    });
  });
  return { maps: joined, places };
}
