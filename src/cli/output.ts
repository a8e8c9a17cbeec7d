/** Data goes to stdout; a reader that went away (`| head`) ends the command quietly. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

/** Everything that is not data. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
