import Crypto
import TidemarkCore

/// Operation ids that come from what a write asks for, so that importing the same file again is answered by receipts.
///
/// A UUID of version 8 (RFC 9562, section 5.8): the first 122 bits of a SHA-256 over space, type, id and content, each with its
/// length.
enum OperationName {
  /// For the write that makes an entity.
  ///
  /// - Parameter attempt: from 0; the next one when what an earlier run was refused for may be over.
  static func create(space: SpaceName, key: EntityKey, fields: Fields, attempt: Int = 0) -> OperationID {
    make(attempt == 0 ? "create" : "create \(attempt)", space, key, [CanonicalFields(fields).bytes])
  }

  /// For the write that changes one.
  static func update(space: SpaceName, key: EntityKey, patch: Patch, expected: Expected) -> OperationID {
    let item = WriteItem(
      operation: none, type: key.type, id: key.id, action: .update(patch, expected))
    return make("update", space, key, [WriteContent.encode(item)])
  }

  /// For a row of a bulk, whatever its policy for conflicts is.
  ///
  /// - Parameter occurrence: how many equal rows stand before it.
  static func bulk(_ item: WriteItem, space: SpaceName, run: String, occurrence: Int) -> OperationID {
    var plain = item
    plain.operation = none
    plain.onConflict = .fail
    return hash(["tidemark bulk 1", space.text, run, "\(occurrence)"], [WriteContent.encode(plain)])
  }

  /// For the same row under another policy.
  static func policy(_ policy: OnConflict, of name: OperationID) -> OperationID {
    hash(["tidemark bulk 1 policy", "\(policy.rawValue)", name.description], [])
  }

  /// For taking a row of a table in, whatever it holds.
  ///
  /// - Parameters:
  ///   - source: names the table.
  ///   - life: the version of the deletion that it comes after; 0 for none.
  ///   - attempt: from 0; the next one when an earlier refusal is over.
  static func adopt(_ source: String, space: SpaceName, key: EntityKey, life: UInt64, attempt: Int) -> OperationID {
    hash(["tidemark adopt 1", source, space.text, key.type.text, key.id.text, "\(life)", "\(attempt)"], [])
  }

  /// For taking a write back.
  static func undo(_ operation: OperationID, _ policy: OnConflict) -> OperationID {
    hash(["tidemark undo 1", "\(policy.rawValue)", operation.description], [])
  }

  /// The id of no write.
  static let none = OperationID(rawValue: Bytes16(high: 0, low: 0))

  private static func make(_ kind: String, _ space: SpaceName, _ key: EntityKey, _ content: [[UInt8]]) -> OperationID {
    hash(["tidemark import 1", kind, space.text, key.type.text, key.id.text], content)
  }

  private static func hash(_ texts: [String], _ content: [[UInt8]]) -> OperationID {
    var hash = SHA256()
    for part in texts.map({ Array($0.utf8) }) + content {
      withUnsafeBytes(of: UInt64(part.count).bigEndian) { hash.update(bufferPointer: $0) }
      hash.update(data: part)
    }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (index, byte) in hash.finalize().prefix(16).enumerated() {
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    return OperationID(
      rawValue: Bytes16(high: high & ~0xF000 | 0x8000, low: low & ~(0b11 << 62) | 0b10 << 62))
  }
}
