/**
 * The libraries of the command line, in the one file that bundles them: users of the library never install them. Everything else
 * in this folder imports them from here.
 */
export { Presets, SingleBar } from 'cli-progress'
export { default as CliTable } from 'cli-table3'
export { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
export { default as picocolors } from 'picocolors'
export { default as QRCode } from 'qrcode'
export { combine, split } from 'shamir-secret-sharing'
