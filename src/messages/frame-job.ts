/** What a worker thread is given: files by descriptor, the key of one message, and where its frames lie. */
export interface FrameJob {
  readonly kind: 'seal' | 'open'
  readonly input: number
  readonly output: number
  readonly suite: number
  /** In shared memory; the main thread wipes it. */
  readonly key: Uint8Array
  readonly messageId: Uint8Array
  readonly frameLength: number
  /** Where the plaintext starts in its file, and the first frame in the other. */
  readonly plainStart: number
  readonly sealedStart: number
  readonly frames: number
  readonly lastLength: number
  /** In shared memory, at the indexes below. */
  readonly counters: Int32Array
}

/** Frames done. */
export const JOB_FRAMES = 0
/** The next batch of frames that nobody has taken. */
export const JOB_NEXT = 1
/** 1 when a frame was wrong. */
export const JOB_FAILED = 2
/** 1 when everybody should stop. */
export const JOB_STOP = 3
export const COUNTERS = 4
