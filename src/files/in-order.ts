/**
 * Runs `work` on several items at once and yields the results in the items' order. Stops taking items
 * when `width` are in flight; after an error nothing more is taken and everything in flight has ended
 * before the error goes on, so that buffers and credits are never left behind.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  width: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const inFlight: Promise<Result>[] = []
  try {
    for await (const item of items) {
      const result = work(item)
      // A later one may fail while an earlier one is awaited; it is looked at in its turn.
      result.catch(() => undefined)
      inFlight.push(result)
      if (inFlight.length >= width) yield await (inFlight.shift() as Promise<Result>)
    }
    while (inFlight.length > 0) yield await (inFlight.shift() as Promise<Result>)
  } finally {
    await Promise.allSettled(inFlight)
  }
}
