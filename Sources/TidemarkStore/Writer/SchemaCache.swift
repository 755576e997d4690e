internal import TidemarkCore

/// The compiled schemas of spaces, kept by who judges. Used by one thread.
final class SchemaCache {
  private var compiled: [SpaceID: (version: UInt64, schema: CompiledSchema)] = [:]
  private var ids: [SpaceName: SpaceID] = [:]
  /// The bytes of the encodings of all that is kept.
  private(set) var bytes = 0
  private let decode: @Sendable ([UInt8]) throws -> Schema
  private let bytesMax: Int
  /// Spaces kept. Further ones take the place of all.
  private static let spacesMax = 1_000

  /// - Parameter bytesMax: the bytes of the encodings of what is kept, but for the latest. A compiled schema takes about twenty times as
  ///   much.
  init(bytesMax: Int = 4 << 20, decode: @escaping @Sendable ([UInt8]) throws -> Schema) {
    self.bytesMax = bytesMax
    self.decode = decode
  }

  /// The schema that was in force in a space a while ago; `nil` when it is not known.
  func latest(of space: SpaceName) -> CompiledSchema? { ids[space].flatMap { compiled[$0]?.schema } }

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
    // An earlier one of the same space counts until then: it is forgotten with the others.
    if compiled.count >= SchemaCache.spacesMax || bytes + stored.content.count > bytesMax { forgetAll() }
    let made = CompiledSchema(schema)
    compiled[record.id] = (record.schemaVersion, made)
    ids[record.name] = record.id
    bytes += stored.content.count
    return made
  }

  /// Forgets what a transaction that was undone may have shown.
  func forgetAll() {
    compiled.removeAll()
    ids.removeAll()
    bytes = 0
  }
}
