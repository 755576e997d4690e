internal import TidemarkCore

/// About how much memory a decoded request takes while its call waits: what is small on the wire can be large here.
extension PendingCall.Kind {
  /// In bytes; `nil` when the size of the message says enough.
  var heldBytes: Int? {
    switch self {
    case .other: nil
    case .write(_, let action, _): WriteItem.frameBytes + action.heldBytes
    case .bulk(let work): work.items.reduce(0) { $0 + $1.heldBytes }
    }
  }
}

extension WriteItem {
  /// The item itself, and what the writer keeps beside it: the digest of its content among others.
  fileprivate static let frameBytes = MemoryLayout<WriteItem>.stride + 128

  fileprivate var heldBytes: Int {
    WriteItem.frameBytes + action.heldBytes + (id?.text.heapBytes ?? 0) + (group?.heapBytes ?? 0)
      + references.count * (MemoryLayout<ItemReference>.stride + 64)
  }
}

extension WriteAction {
  fileprivate var heldBytes: Int {
    switch self {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _):
      fields.sorted.reduce(64) { $0 + MemoryLayout<Field>.stride + $1.name.text.heapBytes + $1.value.heapBytes }
    case .update(let patch, _):
      patch.entries.reduce(64) { $0 + MemoryLayout<Patch.Entry>.stride + $1.name.text.heapBytes + $1.operation.heapBytes }
    case .delete, .restore: 0
    }
  }
}

extension Patch.Operation {
  fileprivate var heapBytes: Int {
    if case .set(let value) = self { value.heapBytes } else { 0 }
  }
}

extension Value {
  /// What the value takes beside its place, in bytes.
  fileprivate var heapBytes: Int {
    switch self {
    case .null, .bool, .int, .double, .timestamp: 0
    case .string(let text), .json(let text): text.heapBytes
    case .bytes(let bytes): bytes.count + 48
    // Room that nothing is in takes memory, too: a list that grew has up to twice what it needs.
    case .list(let scalars): scalars.reduce(48 + scalars.capacity * MemoryLayout<Scalar>.stride) { $0 + $1.heapBytes }
    }
  }
}

extension Scalar {
  fileprivate var heapBytes: Int {
    switch self {
    case .null, .bool, .int, .double, .timestamp: 0
    case .string(let text): text.heapBytes
    case .bytes(let bytes): bytes.count + 48
    }
  }
}

extension String {
  /// What the text takes beside its place, in bytes: short ones fit there.
  fileprivate var heapBytes: Int {
    let bytes = utf8.count
    return bytes > 15 ? bytes + 48 : 0
  }
}
