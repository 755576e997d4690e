internal import TidemarkCore

/// The compiled schemas of spaces, kept by who judges. Used by one thread.
final class SchemaCache {
  private var compiled: [SpaceID: (version: UInt64, schema: CompiledSchema)] = [:]
  private let decode: @Sendable ([UInt8]) throws -> Schema
  /// Spaces kept. Further ones take the place of all.
  private static let spacesMax = 1_000

  init(decode: @escaping @Sendable ([UInt8]) throws -> Schema) { self.decode = decode }

  /// The schema in force; `nil` when the space has none.
  func schema(of record: SpaceRecord, _ snapshot: any StoreSnapshot) throws -> CompiledSchema? {
    guard record.schemaVersion > 0 else { return nil }
    if let known = compiled[record.id], known.version == record.schemaVersion { return known.schema }
    guard let stored = try snapshot.schema(version: record.schemaVersion, in: record.id) else {
      throw StoreError(.corrupt, "the schema \(record.schemaVersion) of the space \(record.name) is missing")
    }
    let schema: Schema
    do { schema = try decode(stored.content) } catch {
      throw StoreError(.corrupt, "the schema \(record.schemaVersion) of the space \(record.name) does not decode")
    }
    if compiled.count >= SchemaCache.spacesMax { compiled.removeAll() }
    let made = CompiledSchema(schema)
    compiled[record.id] = (record.schemaVersion, made)
    return made
  }

  /// Forgets what a transaction that was undone may have shown.
  func forgetAll() { compiled.removeAll() }
}
