/** How another library wrote values into a column. It opens what it can prove to be right, and throws otherwise. */
export interface OldFormat {
  /** For messages, for example `fernet`. */
  readonly name: string
  /**
   * The plaintext of a stored value. It is converted to the type of the field as the text of a column would be.
   *
   * @throws anything when the value is not one of this format and key, the formats of Strongroom DecryptionError: the row is
   *   set aside
   */
  open(stored: string): string | Uint8Array | null
  /** The same the other way, for a rollback into the old column. @throws anything when it cannot: the row is set aside */
  seal(plaintext: string | Uint8Array): string
}
