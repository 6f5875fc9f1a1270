import type { Census, CensusCount, OutgrownIndex } from '../rotation/census.ts'

const COLOURS = { active: '#2e7d32', old: '#f9a825', bad: '#c62828', none: '#b0bec5' }
const WIDTH = 720

/** A page for people: one bar for each column, coloured by how its rows stand. It loads nothing from anywhere. */
export function censusPage(name: string, counted: readonly Census[]): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Census of ${safe(name)}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}table{border-collapse:collapse}
td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}td.n{text-align:right}code{font-size:13px}</style>
<h1>Census of ${safe(name)}</h1>
<p>${legend(COLOURS.active, 'under an active key')} ${legend(COLOURS.old, 'under an older key')} ${legend(COLOURS.bad, 'plaintext, foreign or unknown')} ${legend(COLOURS.none, 'null')}</p>
${counted.map(section).join('\n')}
</html>
`
}

function section({ record, table, at, counts, outdated, outgrown }: Census): string {
  const columns = [...new Set(counts.map(({ column }) => column))]
  const verdict =
    outdated === 0
      ? 'Everything is under an active key.'
      : `${outdated.toLocaleString('en')} values are not under an active key.`
  return `<h2>${safe(record)} <small>(${safe(table)}, ${safe(at)})</small></h2><p><b>${verdict}</b></p>
${outgrown.map(growth).join('')}
${columns
  .map((column) =>
    bar(
      column,
      counts.filter((count) => count.column === column),
    ),
  )
  .join('\n')}
<table><tr><th>column<th>holds<th>key<th>state<th>rows</tr>
${counts.map(line).join('\n')}</table>`
}

function growth({ column, rows, warnAtRows }: OutgrownIndex): string {
  const [found, planned] = [rows, warnAtRows / 4].map((count) => count.toLocaleString('en'))
  return `<p>${safe(column)} has ${found} rows under one key and was planned for ${planned}: raise its <code>rows</code>.</p>`
}

function bar(column: string, counts: readonly CensusCount[]): string {
  const total = counts.reduce((sum, { rows }) => sum + rows, 0)
  let x = 0
  const parts = counts.map((count) => {
    const width = total === 0 ? 0 : (count.rows / total) * WIDTH
    const part = `<rect x="${x.toFixed(1)}" width="${width.toFixed(1)}" height="22" fill="${colourOf(count)}"><title>${safe(labelOf(count))}: ${count.rows.toLocaleString('en')}</title></rect>`
    x += width
    return part
  })
  return `<p>${safe(column)}<br><svg width="${WIDTH}" height="22" role="img" aria-label="${safe(column)}">${parts.join('')}</svg></p>`
}

function line(count: CensusCount): string {
  return `<tr><td>${safe(count.column)}<td>${count.holds}<td><code>${safe(count.keyId ?? (count.version === undefined ? '-' : `index key ${count.version}`))}</code><td>${count.state ?? '-'}<td class="n">${count.rows.toLocaleString('en')}</tr>`
}

function colourOf({ state, holds, current }: CensusCount): string {
  if (holds === 'null') return COLOURS.none
  if (holds === 'foreign' || state === 'unknown' || state === 'destroyed') return COLOURS.bad
  return current || state === 'active' ? COLOURS.active : COLOURS.old
}

function labelOf({ holds, keyId, version, state }: CensusCount): string {
  return [holds, keyId ?? version, state].filter((part) => part !== undefined).join(' ')
}

function legend(colour: string, text: string): string {
  return `<span style="color:${colour}">■</span> ${text}`
}

function safe(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
