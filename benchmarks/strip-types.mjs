import { register } from 'node:module'

// Runs TypeScript as it is built: what tsx runs names every function once more whenever it is made, which takes a third of
// the time of a job whose rows make a few.
register('./strip-types-hooks.mjs', import.meta.url)
