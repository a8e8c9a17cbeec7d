/** Exit codes of every command. */
export const EXIT = {
  done: 0,
  /** A program was refused, or an expectation failed. */
  refused: 1,
  /** Wrong arguments, or input that cannot be read. */
  usage: 2,
} as const;
