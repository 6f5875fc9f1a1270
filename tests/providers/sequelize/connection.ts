/** Where a server is, as Sequelize wants to be told. */
export function connection(url: string) {
  const { hostname: host, port, username, password, pathname } = new URL(url)
  return { host, port: Number(port), username, password, database: pathname.slice(1) }
}
