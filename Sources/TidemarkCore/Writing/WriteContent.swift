/// What a write asks for as bytes: the content that its receipt is bound to.
///
/// Two writes with the same operation id are the same write when these bytes are equal. Everything the judge looks at is in them; what is only
/// informative (`knownRevision`, `editedAt`) is not, so that a retry may state fresher knowledge; nor is the group, so that what was refused may
/// be asked for again in another bulk.
public enum WriteContent {
  /// Encodes the content. The form is internal and starts with its number, so it can change.
  public static func encode(_ item: WriteItem) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(512)
    bytes.append(1)
    append(item.type.text, to: &bytes)
    append(item.id?.text ?? "", to: &bytes)
    switch item.action {
    case .create(let fields): append(1, fields, nil, to: &bytes)
    case .getOrCreate(let fields): append(2, fields, nil, to: &bytes)
    case .replace(let fields, let expected): append(3, fields, expected, to: &bytes)
    case .delete(let expected): append(4, Fields(), expected, to: &bytes)
    case .restore(let expected): append(5, Fields(), expected, to: &bytes)
    case .update(let patch, let expected):
      append(6, Fields(), expected, to: &bytes)
      for entry in patch.entries { append(entry, to: &bytes) }
    }
    // Nothing for a plain write: its content is the same as before there were bulks.
    if item.onConflict != .fail || item.afterItem != nil || !item.references.isEmpty {
      bytes.append(7)
      bytes.append(item.onConflict.rawValue)
      append(item.afterItem.map { UInt64(clamping: $0) &+ 1 } ?? 0, to: &bytes)
      for reference in item.references {
        append(reference.field.text, to: &bytes)
        append(UInt64(clamping: reference.item), to: &bytes)
      }
    }
    return bytes
  }

  private static func append(_ code: UInt8, _ fields: Fields, _ expected: Expected?, to bytes: inout [UInt8]) {
    bytes.append(code)
    append(expected?.version.rawValue ?? 0, to: &bytes)
    append(expected?.revision?.rawValue ?? 0, to: &bytes)
    bytes.append(expected?.epoch == nil ? 0 : 1)
    bytes.append(contentsOf: expected?.epoch?.rawValue.bytes ?? [])
    bytes.append(contentsOf: CanonicalFields(fields).bytes)
  }

  private static func append(_ entry: Patch.Entry, to bytes: inout [UInt8]) {
    append(entry.name.text, to: &bytes)
    switch entry.operation {
    case .set(let value):
      bytes.append(1)
      bytes.append(contentsOf: CanonicalFields(Fields(trusted: [Field(entry.name, value)])).bytes)
    case .unset: bytes.append(2)
    case .incrementInt(let amount):
      bytes.append(3)
      append(UInt64(bitPattern: amount), to: &bytes)
    case .incrementDouble(let bits):
      bytes.append(4)
      append(bits, to: &bytes)
    }
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    append(UInt64(text.utf8.count), to: &bytes)
    bytes.append(contentsOf: text.utf8)
  }

  private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
