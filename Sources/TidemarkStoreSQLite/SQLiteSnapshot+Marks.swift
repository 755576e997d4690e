internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

extension SQLiteSnapshot {
  /// The beginning of a digest of all tokens: nobody else writes to the file, so it is not asked for often.
  func tokenMark() throws -> UInt64 {
    var bytes: [UInt8] = []
    func add(_ text: String) {
      withUnsafeBytes(of: UInt32(clamping: text.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: text.utf8)
    }
    for token in try tokens() {
      for text in [token.id, token.principal.text] { add(text) }
      bytes.append(contentsOf: token.secretHash.bytes)
      bytes.append(token.roleEverywhere?.rawValue ?? 0)
      withUnsafeBytes(of: token.createdAt.rawValue.bigEndian) { bytes.append(contentsOf: $0) }
      withUnsafeBytes(of: UInt32(clamping: token.roles.count).bigEndian) { bytes.append(contentsOf: $0) }
      for (space, role) in token.roles.sorted(by: { $0.key < $1.key }) {
        add(space.text)
        bytes.append(role.rawValue)
      }
    }
    return Digest32.sha256(bytes).words.0
  }

  func moved(since known: [SpaceMark]) throws -> [SpaceMark] {
    try reading {
      let statement = try statements[.spaceRevision]
      defer { statement.reset() }
      return try known.compactMap { mark in
        statement.bind(Int64(mark.space.rawValue), at: 1)
        defer { statement.reset() }
        var revision: Revision?
        if try statement.step() {
          guard let value = statement.exactInteger(at: 0).flatMap({ UInt64(exactly: $0) }) else {
            throw StoreError.corrupt("the revision of the space \(mark.space.rawValue) does not decode")
          }
          revision = Revision(rawValue: value)
        }
        return revision == mark.revision ? nil : SpaceMark(space: mark.space, revision: revision)
      }
    }
  }
}
