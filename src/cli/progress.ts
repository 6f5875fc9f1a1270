import type { Output } from './output.ts'
import { Presets, SingleBar } from './vendor.ts'

const LINE_EVERY_MS = 5000

/** The progress of one piece of work. */
export interface Progress {
  /**
   * @param done how many of the total, so far
   * @param errors how many of those failed
   */
  update(done: number, errors?: number): void
  /** Ends the display; call it however the work ends. */
  end(): void
}

/**
 * Shows progress on stderr: a bar with rate and time left on a terminal, a line every five seconds when piped.
 *
 * @param unit what is counted, for example `rows`
 * @param now the time in ms
 */
export function startProgress(
  output: Output,
  {
    label,
    total,
    unit,
    now = () => performance.now(),
  }: { label: string; total: number; unit: string; now?: () => number },
): Progress {
  const started = now()
  const rate = (done: number) => Math.round((done * 1000) / Math.max(1, now() - started))
  return output.stderr.isTTY === true ? bar() : lines()

  function bar(): Progress {
    const display = new SingleBar(
      {
        format: `${label} [{bar}] {percentage}% | {value}/{total} ${unit} | {rate} ${unit}/s | {eta_formatted} left{errors}`,
        stream: output.stderr as NodeJS.WriteStream,
        hideCursor: true,
        etaBuffer: 50,
      },
      Presets.shades_classic,
    )
    display.start(total, 0, { rate: 0, errors: '' })
    return {
      update: (done, errors = 0) => {
        // The total is an estimate: a bar that stands at 100 % and goes on counting would be a lie.
        if (done > total) display.setTotal(done)
        display.update(done, { rate: rate(done).toLocaleString('en'), errors: failures(errors, ' | ') })
      },
      end: () => display.stop(),
    }
  }

  function lines(): Progress {
    let last = started
    let latest = 0
    let told: number | undefined
    let failed = 0
    const line = (done: number) => {
      told = done
      const share = total === 0 ? 100 : Math.min(100, Math.floor((done * 100) / total))
      const left = rate(done) === 0 ? '' : `, ${Math.max(0, Math.ceil((total - done) / rate(done)))} s left`
      output.say(
        `${label}: ${done}/${total} ${unit} (${share}%), ${rate(done)} ${unit}/s${left}${failures(failed, ', ')}`,
      )
    }
    return {
      update(done, errors = 0) {
        latest = done
        failed = errors
        if (now() - last < LINE_EVERY_MS) return
        last = now()
        line(done)
      },
      end: () => {
        if (told !== latest) line(latest)
      },
    }
  }
}

function failures(errors: number, before: string): string {
  return errors === 0 ? '' : `${before}${errors.toLocaleString('en')} unreadable`
}
