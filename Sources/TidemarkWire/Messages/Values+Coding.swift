import CTidemarkWire
import TidemarkCore

extension MessageKind<Tidemark__V1__Value> { static let value = MessageKind(tidemark__v1__value__init) }
extension MessageKind<Tidemark__V1__Scalar> { static let scalar = MessageKind(tidemark__v1__scalar__init) }
extension MessageKind<Tidemark__V1__ScalarList> { static let scalarList = MessageKind(tidemark__v1__scalar_list__init) }
extension MessageKind<Tidemark__V1__FieldOperation> {
  static let fieldOperation = MessageKind(tidemark__v1__field_operation__init)
}

// MARK: Reading

extension Value {
  /// Reads a value. `name` is the field it belongs to.
  init(_ message: Tidemark__V1__Value, _ name: FieldPath) throws(WireError) {
    switch message.kind_case {
    case TIDEMARK__V1__VALUE__KIND_NULL_VALUE:
      guard message.null_value != 0 else { throw .nullFalse(name) }
      self = .null
    case TIDEMARK__V1__VALUE__KIND_BOOL_VALUE: self = .bool(message.bool_value != 0)
    case TIDEMARK__V1__VALUE__KIND_INT_VALUE: self = .int(message.int_value)
    case TIDEMARK__V1__VALUE__KIND_DOUBLE_VALUE: self = .double(bits: message.double_value.bitPattern)
    case TIDEMARK__V1__VALUE__KIND_STRING_VALUE: self = .string(try message.string_value.text())
    case TIDEMARK__V1__VALUE__KIND_BYTES_VALUE: self = .bytes(message.bytes_value.copied)
    case TIDEMARK__V1__VALUE__KIND_TIMESTAMP_US_VALUE:
      self = .timestamp(try Part.timestamp(message.timestamp_us_value, name.text))
    case TIDEMARK__V1__VALUE__KIND_LIST_VALUE:
      guard let list = message.list_value?.pointee else { throw .unparsable }
      guard list.n_values <= Limits.listElementsMax else { throw .listTooLong(name) }
      self = .list(
        try Part.list(list.n_values, list.values) { (scalar) throws(WireError) in try Scalar(scalar, name) })
    case TIDEMARK__V1__VALUE__KIND_JSON_VALUE:
      let text = try message.json_value.text()
      guard JSONText.isValid(text) else { throw .notJSON(name) }
      self = .json(text)
    default: throw .noKind(name)
    }
  }
}

extension Scalar {
  /// Reads an element of a list. `name` is the field the list belongs to.
  init(_ message: Tidemark__V1__Scalar, _ name: FieldPath) throws(WireError) {
    switch message.kind_case {
    case TIDEMARK__V1__SCALAR__KIND_NULL_VALUE:
      guard message.null_value != 0 else { throw .nullFalse(name) }
      self = .null
    case TIDEMARK__V1__SCALAR__KIND_BOOL_VALUE: self = .bool(message.bool_value != 0)
    case TIDEMARK__V1__SCALAR__KIND_INT_VALUE: self = .int(message.int_value)
    case TIDEMARK__V1__SCALAR__KIND_DOUBLE_VALUE: self = .double(bits: message.double_value.bitPattern)
    case TIDEMARK__V1__SCALAR__KIND_STRING_VALUE: self = .string(try message.string_value.text())
    case TIDEMARK__V1__SCALAR__KIND_BYTES_VALUE: self = .bytes(message.bytes_value.copied)
    case TIDEMARK__V1__SCALAR__KIND_TIMESTAMP_US_VALUE:
      self = .timestamp(try Part.timestamp(message.timestamp_us_value, name.text))
    default: throw .noKind(name)
    }
  }
}

extension Fields {
  /// Reads repeated fields, in any order.
  init(
    _ count: Int, _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Tidemark__V1__Field>?>?
  ) throws(WireError) {
    // Before anything is copied; Fields checks again.
    guard count <= Limits.fieldsPerEntityMax else { throw .tooManyFields }
    let fields = try Part.list(count, elements) { (field) throws(WireError) in
      let name = try Part.fieldName(field.name, "fields")
      guard let value = field.value else { throw .noKind(name) }
      return Field(name, try Value(value.pointee, name))
    }
    do { try self.init(fields) } catch { throw WireError(error) }
  }
}

extension Patch {
  /// Reads repeated operations, in any order.
  init(
    _ count: Int, _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Tidemark__V1__FieldOperation>?>?
  ) throws(WireError) {
    guard count <= Limits.operationsPerPatchMax else { throw .tooManyOperations }
    let entries = try Part.list(count, elements) { (operation) throws(WireError) in
      let name = try Part.fieldName(operation.name, "operations")
      return Entry(name, try Operation(operation, name))
    }
    do { try self.init(entries) } catch { throw WireError(error) }
  }
}

extension Patch.Operation {
  fileprivate init(_ message: Tidemark__V1__FieldOperation, _ name: FieldPath) throws(WireError) {
    switch message.operation_case {
    case TIDEMARK__V1__FIELD_OPERATION__OPERATION_SET:
      guard let value = message.set else { throw .noKind(name) }
      self = .set(try Value(value.pointee, name))
    case TIDEMARK__V1__FIELD_OPERATION__OPERATION_UNSET:
      guard message.unset != 0 else {
        throw WireError(Violation(field: name, rule: "unset_false", message: "The member unset can only be true."))
      }
      self = .unset
    case TIDEMARK__V1__FIELD_OPERATION__OPERATION_INCREMENT:
      guard let amount = message.increment else { throw .noKind(name) }
      switch try Value(amount.pointee, name) {
      case .int(let amount): self = .incrementInt(amount)
      case .double(let bits): self = .incrementDouble(bits: bits)
      case .null, .bool, .string, .bytes, .timestamp, .list, .json:
        throw WireError(
          Violation(field: name, rule: "increment_kind", message: "An increment is an int or a double."))
      }
    default:
      throw WireError(
        Violation(field: name, rule: "operation_missing", message: "The operation on '\(name)' does not say what to do."))
    }
  }
}

extension WireError {
  static func noKind(_ name: FieldPath) -> WireError {
    WireError(
      Violation(field: name, rule: "value_missing", message: "The field '\(name)' has no value; null is a value of its own."))
  }
  static func nullFalse(_ name: FieldPath) -> WireError {
    WireError(Violation(field: name, rule: "null_false", message: "The member null_value can only be true."))
  }
  static func notJSON(_ name: FieldPath) -> WireError {
    WireError(
      Violation(
        field: name, rule: "json",
        message: "The field '\(name)' is not one JSON document nested at most \(Limits.jsonDepthMax) deep."))
  }
  static func listTooLong(_ name: FieldPath) -> WireError {
    WireError(
      Violation(
        field: name, rule: "list_elements_max", message: "A list has at most \(Limits.listElementsMax) elements."))
  }
  static var tooManyFields: WireError {
    WireError(Violation(rule: "fields_max", message: "An entity has at most \(Limits.fieldsPerEntityMax) fields."))
  }
  fileprivate static var tooManyOperations: WireError {
    WireError(
      Violation(rule: "operations_max", message: "An update has at most \(Limits.operationsPerPatchMax) operations."))
  }
}

// MARK: Building

extension Value {
  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Value> {
    let message = try arena.make(.value)
    switch self {
    case .null:
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_NULL_VALUE
      message.pointee.null_value = 1
    case .bool(let value):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_BOOL_VALUE
      message.pointee.bool_value = value ? 1 : 0
    case .int(let value):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_INT_VALUE
      message.pointee.int_value = value
    case .double(let bits):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_DOUBLE_VALUE
      message.pointee.double_value = Double(bitPattern: bits)
    case .string(let text):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_STRING_VALUE
      message.pointee.string_value = try arena.copy(text)
    case .bytes(let bytes):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_BYTES_VALUE
      message.pointee.bytes_value = try arena.copy(bytes)
    case .timestamp(let value):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_TIMESTAMP_US_VALUE
      message.pointee.timestamp_us_value = value.rawValue
    case .list(let scalars):
      let list = try arena.make(.scalarList)
      list.pointee.n_values = scalars.count
      list.pointee.values = try arena.makeList(scalars) { (scalar) throws(WireError) in try scalar.makeMessage(in: arena) }
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_LIST_VALUE
      message.pointee.list_value = list
    case .json(let text):
      message.pointee.kind_case = TIDEMARK__V1__VALUE__KIND_JSON_VALUE
      message.pointee.json_value = try arena.copy(text)
    }
    return message
  }
}

extension Scalar {
  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__Scalar>? {
    let message = try arena.make(.scalar)
    switch self {
    case .null:
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_NULL_VALUE
      message.pointee.null_value = 1
    case .bool(let value):
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_BOOL_VALUE
      message.pointee.bool_value = value ? 1 : 0
    case .int(let value):
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_INT_VALUE
      message.pointee.int_value = value
    case .double(let bits):
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_DOUBLE_VALUE
      message.pointee.double_value = Double(bitPattern: bits)
    case .string(let text):
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_STRING_VALUE
      message.pointee.string_value = try arena.copy(text)
    case .bytes(let bytes):
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_BYTES_VALUE
      message.pointee.bytes_value = try arena.copy(bytes)
    case .timestamp(let value):
      message.pointee.kind_case = TIDEMARK__V1__SCALAR__KIND_TIMESTAMP_US_VALUE
      message.pointee.timestamp_us_value = value.rawValue
    }
    return message
  }
}

extension Patch.Entry {
  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__FieldOperation>? {
    let message = try arena.make(.fieldOperation)
    message.pointee.name = try arena.copy(name.text)
    switch operation {
    case .set(let value):
      message.pointee.operation_case = TIDEMARK__V1__FIELD_OPERATION__OPERATION_SET
      message.pointee.set = try value.makeMessage(in: arena)
    case .unset:
      message.pointee.operation_case = TIDEMARK__V1__FIELD_OPERATION__OPERATION_UNSET
      message.pointee.unset = 1
    case .incrementInt(let amount):
      message.pointee.operation_case = TIDEMARK__V1__FIELD_OPERATION__OPERATION_INCREMENT
      message.pointee.increment = try Value.int(amount).makeMessage(in: arena)
    case .incrementDouble(let bits):
      message.pointee.operation_case = TIDEMARK__V1__FIELD_OPERATION__OPERATION_INCREMENT
      message.pointee.increment = try Value.double(bits: bits).makeMessage(in: arena)
    }
    return message
  }
}
