import Testing

/// Every rule finds what it is for, and leaves alone what only looks like it.
@Suite struct RulesCanFailTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    var name: String
    var rule: Rule
    var path = "Sources/TidemarkCore/Sample.swift"
    var bad: String
    var good: String
    var testDescription: String { name }
  }

  static let samples: [Sample] = [
    Sample(
      name: "file length", rule: LengthRules.fileLength, bad: String(repeating: "a\n", count: 401),
      good: String(repeating: "a\n", count: 400)),
    Sample(
      name: "function length", rule: LengthRules.functionLength,
      bad: "func f(\n  a: Int = { 3 }()\n) {\n" + String(repeating: "  g()\n", count: 70) + "}\n",
      good: "func f() {\n" + String(repeating: "  g(\"}{\") // {\n", count: 68) + "}\nfunc g() {\n  f()\n}\n"),
    Sample(
      name: "imports of a pure module", rule: ImportRules.imports, bad: "internal import Foundation\n",
      good: "// import Foundation\n"),
    Sample(
      name: "imports of one declaration", rule: ImportRules.imports, path: "Sources/TidemarkWire/Codec/Sample.swift",
      bad: "@preconcurrency import struct NIOCore.ByteBuffer\n", good: "public import TidemarkCore\n"),
    Sample(
      name: "engines", rule: ImportRules.imports, path: "Sources/TidemarkServer/Sample.swift",
      bad: "import TidemarkStoreSQLite\n",
      good: "import TidemarkStore\n"),
    Sample(
      name: "arrows", rule: ImportRules.packageArrows, path: "Package.swift",
      bad:
        "\n  targets: [\n    .target(\n      name: \"TidemarkStore\",\n      dependencies: [\n \"TidemarkServer\", nio,\n      ]),\n",
      good: "\n  targets: [\n    .target(name: \"TidemarkServer\", dependencies: [\"TidemarkStore\"]),\n"),
    Sample(
      name: "unknown target", rule: ImportRules.packageArrows, path: "Package.swift",
      bad: "\n  targets: [\n    .target(name: \"Utilities\"),\n", good: "\n  targets: [\n    .testTarget(name: \"NewTests\"),\n"),
    Sample(name: "try!", rule: TrapRules.traps, bad: "let a = try! f()\n", good: "let retry = \"try! it\" // try!\n"),
    Sample(name: "as!", rule: TrapRules.traps, bad: "let a = b as! Int\n", good: "let a = !b as Bool\n"),
    Sample(name: "force unwrap", rule: TrapRules.traps, bad: "let a = b[0]!.c\n", good: "if !a, b != c { f(\"now!\") }\n"),
    Sample(name: "force unwrap in text", rule: TrapRules.traps, bad: "f(\"a \\(b!) c\")\n", good: "f(\"a! \\(b) \\\" c!\")\n"),
    Sample(name: "implicitly unwrapped", rule: TrapRules.traps, bad: "var a: Int!\n", good: "var a: Int?\n"),
    Sample(name: "fatalError", rule: TrapRules.traps, bad: "fatalError(\"no\")\n", good: "myfatalError(\"no\")\n"),
    Sample(name: "precondition", rule: TrapRules.traps, bad: "precondition(a)\n", good: "preconditionInEventLoop()\n"),
    Sample(name: "unsafelyUnwrapped", rule: TrapRules.traps, bad: "a.unsafelyUnwrapped\n", good: "a.map { $0 }\n"),
    Sample(
      name: "unchecked Sendable", rule: TrapRules.uncheckedSharing, bad: "/// A box.\nfinal class Box: @unchecked Sendable {\n",
      good: "/// `value` is used under `lock` only.\n@frozen\nfinal class Box: @unchecked Sendable {\n"),
    Sample(
      name: "nonisolated(unsafe)", rule: TrapRules.uncheckedSharing, bad: "// lock\n\nnonisolated(unsafe) let a = b\n",
      good: "// Belongs to the thread from here on.\nnonisolated(unsafe) let a = b\n"),
    Sample(
      name: "sleep", rule: TrapRules.sleeping, bad: "try await Task.sleep(for: .seconds(1))\n",
      good: "// Task.sleep\ntimer.sleep()\n"),
    Sample(name: "usleep", rule: TrapRules.sleeping, bad: "usleep(1)\n", good: "oversleep(1)\n"),
    Sample(
      name: "sleep in Python", rule: TrapRules.sleeping, path: "Clients/Python/tests/a.py", bad: "time.sleep(1)\n",
      good: "wait(1)\n"),
    Sample(
      name: "machine paths", rule: WordRules.machinePaths, bad: "let a = \"/tmp/a\"\n",
      good: "see frame/work/a and $folder/root\n"),
    Sample(name: "undone", rule: WordRules.leftovers, bad: "// TODO: later\n", good: "AUTODOC\n"),
    Sample(name: "organisation", rule: WordRules.leftovers, bad: "// See Issue #4.\n", good: "// See the tissue # of it.\n"),
    Sample(
      name: "decision", rule: DocumentRules.decision, bad: "# A\n## Objective\n## Choice\n## Alternatives\n",
      good: "# A\n## Objective\n## Choice\n## Alternatives\n## How it is tested\n"),
    Sample(name: "first page", rule: DocumentRules.firstPage, bad: "make run\n", good: "`make run`, `make test`\n"),
    Sample(
      name: "bugs", rule: DocumentRules.bugs, bad: "| it fell | by use | |\n", good: "| it fell | by use | `make test` |\n"),
    Sample(
      name: "links", rule: { DocumentRules.links($0, $1) { $0 == "docs/there.md" } }, path: "docs/a.md",
      bad: "[a](https://a.b) [b](gone.md)\n",
      good: "[a](there.md#part) [b](#here) [c](https://a.b/c)\n"),
    Sample(
      name: "doc comments of functions", rule: DocumentRules.docComments, bad: "  public static func f() {}\n",
      good: "  /// Does.\n  @inlinable\n  public static func f() {}\n  public static func < (a: A, b: A) -> Bool { true }\n"),
    Sample(
      name: "doc comments of types", rule: DocumentRules.docComments, bad: "public final class A {\n",
      good:
        "/// A thing.\npublic final class A {\n  public var a: Int\n  public init() {}\n  public var description: String { \"\" }\n"
    ),
    Sample(
      name: "doc comments of computed properties", rule: DocumentRules.docComments, bad: "public var a: Int { 3 }\n",
      good: "/// Three.\npublic var a: Int { 3 }\n"),
  ]

  @Test(arguments: samples) func ruleFindsWhatItIsFor(_ sample: Sample) {
    #expect(!sample.rule(sample.path, sample.bad).isEmpty)
  }

  @Test(arguments: samples) func ruleLeavesTheRestAlone(_ sample: Sample) {
    #expect(sample.rule(sample.path, sample.good) == [])
  }

  @Test func codeTextKeepsCodeAndItsPlace() {
    let text = "a \"b\\(c(\"d\"))e\" f // g\n/* h /* i */\n j */ k #\"l\"m\"# n \"\"\"\n o \"p\"\n \"\"\" q\n"
    #expect(CodeText(text).lines == ["a \"(c(\"\"))\" f ", "", " k \"\" n \"", "", "\" q", ""])
  }
}
