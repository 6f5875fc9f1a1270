/** Options of an LRU cache that holds at most so many entries, and takes memory for those that it has: `max` takes it for all at once. */
export function holdingAtMost(entries: number) {
  return { maxSize: entries, sizeCalculation: () => 1 } as const
}
