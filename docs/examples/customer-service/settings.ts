/** Where everything is, from the environment. The application and the `strongroom` command read the same. */
export const settings = {
  databaseUrl: required('DATABASE_URL'),
  keyFile: process.env.STRONGROOM_KEY_FILE ?? 'strongroom.key',
  port: Number(process.env.PORT ?? 3000),
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`set ${name}`)
  return value
}
