import TidemarkTestTraits
import TidemarkTesting
import Testing

/// The habits of this repository, applied to every file in it.
@Suite(.ownThreads) struct TidyTests {
  /// Files that do not keep a rule yet, by the name of the test. A file that keeps it has to leave the list.
  private static let pending: [String: Set<String>] = [
    "decisionsHaveTheirHeadings()": ["docs/decisions/framing-details.md"],
    "uncheckedSharingIsExplained()": ["Tests/Fuzz/Sources/tidemark-fuzz-messages/Entry.swift"],
  ]

  private func expectNone(_ findings: [Finding], test: String = #function, _ location: SourceLocation = #_sourceLocation) {
    let pending = Self.pending[test] ?? []
    for finding in findings where !pending.contains(finding.path) { Issue.record("\(finding)", sourceLocation: location) }
    for path in pending.subtracting(findings.map(\.path)) {
      Issue.record("\(path) keeps this rule now: take it out of `pending`", sourceLocation: location)
    }
  }

  private func isSwift(_ path: String) -> Bool { path.hasSuffix(".swift") }
  private func isProduct(_ path: String) -> Bool {
    isSwift(path) && (path.hasPrefix("Sources/") || path.hasPrefix("Clients/Swift/Sources/"))
  }
  private func isCode(_ path: String) -> Bool { [".swift", ".c", ".h", ".py"].contains { path.hasSuffix($0) } }
  private func isTest(_ path: String) -> Bool {
    isCode(path)
      && (path.hasPrefix("Tests/") || path.contains("/Tests/") || path.contains("/tests/") || path.contains("Testing/"))
  }
  /// These rules spell out what they look for.
  private func isTidy(_ path: String) -> Bool { path.hasPrefix("Tests/TidyTests/") }

  @Test func theRepositoryIsRead() {
    #expect(Repository.files["Package.swift"] != nil)
    #expect(Repository.files["Makefile"] != nil)
    #expect(Repository.files["Sources/TidemarkCore/Limits.swift"] != nil)
    #expect(!Repository.files.keys.contains { $0.contains("/generated/") || $0.contains(".pb-c.") })
  }

  @Test func filesAreShort() { expectNone(Repository.findings(LengthRules.fileLength, in: isCode)) }

  @Test func functionsAreShort() { expectNone(Repository.findings(LengthRules.functionLength, in: isSwift)) }

  @Test func modulesImportDownward() { expectNone(Repository.findings(ImportRules.imports, in: isProduct)) }

  @Test func targetsDependDownward() { expectNone(Repository.findings(ImportRules.packageArrows) { $0 == "Package.swift" }) }

  @Test func nothingTraps() { expectNone(Repository.findings(TrapRules.traps) { isProduct($0) && !isTest($0) }) }

  @Test func filesThatMayTrapStillDo() {
    for path in TrapRules.preconditionFiles.keys.sorted() {
      #expect(Repository.files[path]?.contains("precondition(") == true, "\(path) is in TrapRules.preconditionFiles for nothing")
    }
    for path in TrapRules.unwrappingFiles.keys.sorted() {
      #expect(
        Repository.files[path]?.contains("unsafelyUnwrapped") == true, "\(path) is in TrapRules.unwrappingFiles for nothing")
    }
  }

  @Test func uncheckedSharingIsExplained() {
    expectNone(Repository.findings(TrapRules.uncheckedSharing) { isSwift($0) && !isTidy($0) })
  }

  @Test func testsDoNotSleep() { expectNone(Repository.findings(TrapRules.sleeping) { isTest($0) && !isTidy($0) }) }

  @Test func noPathsOfOneMachine() { expectNone(Repository.findings(WordRules.machinePaths) { !isTidy($0) }) }

  @Test func noLeftovers() { expectNone(Repository.findings(WordRules.leftovers) { !isTidy($0) }) }

  @Test func decisionsHaveTheirHeadings() {
    expectNone(Repository.findings(DocumentRules.decision) { $0.hasPrefix("docs/decisions/") && $0.hasSuffix(".md") })
  }

  @Test func linksLeadSomewhere() {
    expectNone(Repository.findings({ DocumentRules.links($0, $1, exists: Repository.exists) }, in: { $0.hasSuffix(".md") }))
  }

  @Test func firstPageNamesTheCommands() {
    #expect(Repository.files["README.md"] != nil)
    expectNone(Repository.findings(DocumentRules.firstPage) { $0 == "README.md" })
  }

  @Test func bugsAreCompletelyDescribed() { expectNone(Repository.findings(DocumentRules.bugs) { $0 == "docs/BUGS.md" }) }

  @Test func publicDeclarationsAreDocumented() {
    let modules = ["Sources/TidemarkCore/", "Sources/TidemarkStore/", "Clients/Swift/Sources/TidemarkClient/"]
    expectNone(
      Repository.findings(DocumentRules.docComments) { path in isSwift(path) && modules.contains { path.hasPrefix($0) } })
  }
}
