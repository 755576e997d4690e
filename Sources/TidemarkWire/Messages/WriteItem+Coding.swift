import CTidemarkProtobufC
import CTidemarkWire
import TidemarkCore

extension MessageKind<Tidemark__V1__WriteItem> { static let writeItem = MessageKind(tidemark__v1__write_item__init) }
extension MessageKind<Tidemark__V1__ItemReference> {
  static let itemReference = MessageKind(tidemark__v1__item_reference__init)
}

extension WriteItem {
  /// The number of `WriteItem.fields`.
  private static let fieldsNumber: UInt32 = 7

  /// Decodes one item of a bulk.
  ///
  /// One that decodes and breaks a rule becomes an item with a `fault`, so that the others of the bulk are judged.
  ///
  /// - Parameters:
  ///   - index: its place in the bulk: it may refer to the items before it only.
  ///   - elementsLeft: how many elements the rest of the bulk may have.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, index: Int, knownRevision: Revision?, elementsLeft: inout Int, using arena: MessageArena
  ) throws(WireError) -> WriteItem {
    let elementsMax = elementsLeft
    do throws(WireError) {
      return try decodeWhole(bytes, index: index, knownRevision: knownRevision, elementsLeft: &elementsLeft, using: arena)
    } catch {
      guard error.code == .invalid, let fault = error.violations.first else { throw error }
      elementsLeft = elementsMax
      return try decodeFaulty(bytes, fault, elementsLeft: &elementsLeft, using: arena)
    }
  }

  /// Decodes what names an item that breaks a rule.
  ///
  /// - Throws: when it has no operation id or its group is not known: then nobody could be told, or what depends on it.
  private static func decodeFaulty(
    _ bytes: UnsafeRawBufferPointer, _ fault: Violation, elementsLeft: inout Int, using arena: MessageArena
  ) throws(WireError) -> WriteItem {
    arena.reset()
    defer { arena.reset() }
    let parts = try WireReader.split(
      bytes, number: fieldsNumber, countMax: elementsLeft, tooMany: .tooManyElements, in: arena)
    elementsLeft -= parts.elements.count
    let message = try arena.unpack(parts.rest, as: .writeItem, elementsLeft: &elementsLeft).pointee
    var item = WriteItem(
      operation: try Part.operation(message.operation_id, "operation_id"), type: (try? Part.type(message.type)) ?? .unknown,
      id: try? Part.id(message.id), action: .create(Fields()), group: try WriteItem.group(message.group))
    item.fault = fault
    return item
  }

  private static func decodeWhole(
    _ bytes: UnsafeRawBufferPointer, index: Int, knownRevision: Revision?, elementsLeft: inout Int, using arena: MessageArena
  ) throws(WireError) -> WriteItem {
    arena.reset()
    defer { arena.reset() }
    let parts = try FieldsReader.split(bytes, number: fieldsNumber, elementsMax: elementsLeft, in: arena)
    elementsLeft = parts.elementsLeft
    let message = try arena.unpack(parts.rest, as: .writeItem, elementsLeft: &elementsLeft).pointee
    return try WriteItem(message, parts.fields, index: index, knownRevision: knownRevision)
  }

  private init(
    _ message: Tidemark__V1__WriteItem, _ fields: Fields, index: Int, knownRevision: Revision?
  ) throws(WireError) {
    let afterItem = try WriteItem.afterItem(message, index)
    let action = try WriteAction(message, fields, isAfterItem: afterItem != nil)
    let mayLackID = action.isCreate || afterItem != nil
    self.init(
      operation: try Part.operation(message.operation_id, "operation_id"), type: try Part.type(message.type),
      id: message.id.raw.isEmpty && mayLackID ? nil : try Part.id(message.id), action: action, knownRevision: knownRevision,
      editedAt: message.edited_at_us == 0 ? nil : try Part.timestamp(message.edited_at_us, "edited_at_us"),
      onConflict: try OnConflict(message.on_conflict), group: try WriteItem.group(message.group), afterItem: afterItem,
      references: try WriteItem.references(message, index))
    guard action.allows(onConflict) else {
      throw .invalid(
        "on_conflict", rule: "on_conflict_kind",
        "Merging is for updates and replaces, overwriting for updates, replaces, deletes and restores.")
    }
    guard references.isEmpty || action.hasFields else {
      throw .invalid("references", rule: "reference_kind", "A delete or restore has no fields to refer with.")
    }
  }

  private static func afterItem(_ message: Tidemark__V1__WriteItem, _ index: Int) throws(WireError) -> Int? {
    guard message.state_case == TIDEMARK__V1__WRITE_ITEM__STATE_AFTER_ITEM, let after = message.after_item else { return nil }
    return try earlier(after.pointee.item, than: index, "after_item")
  }

  private static func earlier(_ item: UInt32, than index: Int, _ field: String) throws(WireError) -> Int {
    guard let item = Int(exactly: item), item < index else {
      throw .invalid(field, rule: "item_reference", "An item may only refer to items before it.")
    }
    return item
  }

  private static func group(_ label: ProtobufCBinaryData) throws(WireError) -> String? {
    guard label.len <= WireLimits.groupLabelBytesMax else {
      throw .invalid("group", rule: "group_label", "The label of a group has 1 to \(WireLimits.groupLabelBytesMax) bytes.")
    }
    return label.raw.isEmpty ? nil : try label.text()
  }

  private static func references(_ message: Tidemark__V1__WriteItem, _ index: Int) throws(WireError) -> [ItemReference] {
    guard message.n_references <= Limits.fieldsPerEntityMax else { throw .tooManyFields }
    return try Part.list(message.n_references, message.references) { (reference) throws(WireError) in
      ItemReference(
        field: try Part.fieldName(reference.field, "references"),
        item: try earlier(reference.item, than: index, "references"))
    }
  }

  /// Builds the item as a part of a bulk, which carries the known revision for all of its items.
  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__WriteItem>? {
    let message = try arena.make(.writeItem)
    message.pointee.kind = action.kind
    message.pointee.type = try arena.copy(type.text)
    message.pointee.id = try arena.copy(id?.text ?? "")
    message.pointee.operation_id = try arena.copy(operation.description)
    if let afterItem {
      message.pointee.state_case = TIDEMARK__V1__WRITE_ITEM__STATE_AFTER_ITEM
      message.pointee.after_item = try arena.makeIndex(afterItem)
    } else if let expected = action.expected {
      message.pointee.state_case = TIDEMARK__V1__WRITE_ITEM__STATE_EXPECTED
      message.pointee.expected = try expected.makeMessage(in: arena)
    }
    message.pointee.group = try arena.copy(group ?? "")
    message.pointee.on_conflict = onConflict.code
    message.pointee.edited_at_us = editedAt?.rawValue ?? 0
    message.pointee.n_references = references.count
    message.pointee.references = try arena.makeList(references) { (reference) throws(WireError) in
      let message = try arena.make(.itemReference)
      message.pointee.field = try arena.copy(reference.field.text)
      message.pointee.item = UInt32(clamping: reference.item)
      return message
    }
    switch action {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _):
      try arena.attach(CanonicalFields(fields), as: WriteItem.fieldsNumber, to: message)
    case .update(let patch, _):
      message.pointee.n_operations = patch.entries.count
      message.pointee.operations = try arena.makeList(patch.entries) { (entry) throws(WireError) in
        try entry.makeMessage(in: arena)
      }
    case .delete, .restore: break
    }
    return message
  }
}

extension WriteAction {
  /// Reads what an item asks for. After another item, the expected state is filled in when that one was judged.
  fileprivate init(_ message: Tidemark__V1__WriteItem, _ fields: Fields, isAfterItem: Bool) throws(WireError) {
    func expected() throws(WireError) -> Expected {
      if isAfterItem { return Expected(version: .first) }
      let given = message.state_case == TIDEMARK__V1__WRITE_ITEM__STATE_EXPECTED ? message.expected : nil
      guard let expected = try Expected(given) else {
        throw .invalid(
          "expected", rule: "expected_required", "The write does not say which version of the entity it was made against.")
      }
      return expected
    }
    switch message.kind {
    case TIDEMARK__V1__WRITE_KIND__WRITE_KIND_CREATE: self = .create(fields)
    case TIDEMARK__V1__WRITE_KIND__WRITE_KIND_GET_OR_CREATE: self = .getOrCreate(fields)
    case TIDEMARK__V1__WRITE_KIND__WRITE_KIND_UPDATE:
      let onlyRefers = message.n_operations == 0 && message.n_references > 0
      self = .update(onlyRefers ? .none : try Patch(message.n_operations, message.operations), try expected())
    case TIDEMARK__V1__WRITE_KIND__WRITE_KIND_REPLACE: self = .replace(fields, try expected())
    case TIDEMARK__V1__WRITE_KIND__WRITE_KIND_DELETE: self = .delete(try expected())
    case TIDEMARK__V1__WRITE_KIND__WRITE_KIND_RESTORE: self = .restore(try expected())
    default: throw .invalid("kind", rule: "write_kind", "The item does not say what it asks for.")
    }
    if case .update = self {
    } else if message.n_operations > 0 {
      throw .invalid("operations", rule: "operations_kind", "Only an update has operations.")
    }
    if !fields.sorted.isEmpty, !takesFields {
      throw .invalid("fields", rule: "fields_kind", "Only a create, get-or-create or replace has fields.")
    }
    if self.expected == nil, message.state_case != TIDEMARK__V1__WRITE_ITEM__STATE__NOT_SET {
      throw .invalid("expected", rule: "expected_kind", "A create or get-or-create is not made against a state.")
    }
  }

  fileprivate var kind: Tidemark__V1__WriteKind {
    switch self {
    case .create: TIDEMARK__V1__WRITE_KIND__WRITE_KIND_CREATE
    case .getOrCreate: TIDEMARK__V1__WRITE_KIND__WRITE_KIND_GET_OR_CREATE
    case .update: TIDEMARK__V1__WRITE_KIND__WRITE_KIND_UPDATE
    case .replace: TIDEMARK__V1__WRITE_KIND__WRITE_KIND_REPLACE
    case .delete: TIDEMARK__V1__WRITE_KIND__WRITE_KIND_DELETE
    case .restore: TIDEMARK__V1__WRITE_KIND__WRITE_KIND_RESTORE
    }
  }

  fileprivate var isCreate: Bool {
    if case .create = self { true } else { false }
  }

  /// Whether the write says all fields.
  private var takesFields: Bool {
    switch self {
    case .create, .getOrCreate, .replace: true
    case .update, .delete, .restore: false
    }
  }

  /// Whether the write says any fields.
  fileprivate var hasFields: Bool {
    switch self {
    case .create, .getOrCreate, .update, .replace: true
    case .delete, .restore: false
    }
  }

  fileprivate func allows(_ onConflict: OnConflict) -> Bool {
    switch (onConflict, self) {
    case (.fail, _), (_, .update), (_, .replace), (.overwrite, .delete), (.overwrite, .restore): true
    case (.merge, .delete), (.merge, .restore), (.merge, .create), (.merge, .getOrCreate), (.overwrite, .create),
      (.overwrite, .getOrCreate):
      false
    }
  }
}

extension OnConflict {
  init(_ code: Tidemark__V1__OnConflict) throws(WireError) {
    switch code {
    case TIDEMARK__V1__ON_CONFLICT__ON_CONFLICT_UNSPECIFIED, TIDEMARK__V1__ON_CONFLICT__ON_CONFLICT_FAIL: self = .fail
    case TIDEMARK__V1__ON_CONFLICT__ON_CONFLICT_MERGE: self = .merge
    case TIDEMARK__V1__ON_CONFLICT__ON_CONFLICT_OVERWRITE: self = .overwrite
    default: throw .invalid("on_conflict", rule: "on_conflict", "The message does not say a known thing to do on a conflict.")
    }
  }

  var code: Tidemark__V1__OnConflict { Tidemark__V1__OnConflict(rawValue: UInt32(rawValue)) }
}

extension BulkMode {
  init(_ code: Tidemark__V1__BulkMode) throws(WireError) {
    switch code {
    case TIDEMARK__V1__BULK_MODE__BULK_MODE_UNSPECIFIED, TIDEMARK__V1__BULK_MODE__BULK_MODE_PARTIAL: self = .partial
    case TIDEMARK__V1__BULK_MODE__BULK_MODE_ATOMIC: self = .atomic
    default: throw .invalid("mode", rule: "bulk_mode", "The message does not say a known mode.")
    }
  }

  var code: Tidemark__V1__BulkMode { Tidemark__V1__BulkMode(rawValue: UInt32(rawValue)) }
}
