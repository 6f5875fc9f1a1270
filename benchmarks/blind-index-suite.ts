import { benchmarkBlindIndex } from './blind-index.ts'
import type { Suite } from './result.ts'

/** P3: from a value to its stored tag. */
export const blindIndex: Suite = async ({ quick }) =>
  benchmarkBlindIndex(quick ? 2 : 200).map(({ name, nanoseconds, ratio, target }) => ({
    id: 'P3 index',
    what: name,
    measured: `${Math.round(1e9 / nanoseconds).toLocaleString('en')} /s  ${ratio.toFixed(2)} ×`,
    value: ratio,
    ...(target === undefined ? {} : { target: { atLeast: target } }),
  }))
