/** The result of work that comes in pieces, for who has nobody else to serve meanwhile. */
export function runToEnd<Result>(pieces: Iterator<void, Result>): Result {
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
  }
}
