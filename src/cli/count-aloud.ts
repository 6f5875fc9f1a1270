import type { Output } from './output.ts'

const LINE_EVERY_MS = 5000

/** Tells people every five seconds how far work of unknown length has come. */
export function countAloud(output: Output, label: string, unit: string): (done: number) => void {
  const started = performance.now()
  let told = started
  return (done) => {
    const now = performance.now()
    if (now - told < LINE_EVERY_MS) return
    told = now
    const rate = Math.round((done * 1000) / (now - started))
    output.say(`${label}: ${done.toLocaleString('en')} ${unit} so far, ${rate.toLocaleString('en')} ${unit}/s`)
  }
}
