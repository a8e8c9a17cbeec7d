/** Names in a table of counts: programs can answer with any number, and send packets to any interface. */
export const MOST_NAMES = 65_536;
/** What comes after so many is counted under this name. */
export const OTHER = 'other';
