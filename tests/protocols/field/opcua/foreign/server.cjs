// A node-opcua server for the interop test: another implementation of the standard than our client's library.
// Arguments: folder for its certificates, port (0: any), "anew" for a set-up with another order. Prints its port as one line of JSON, and takes "set NAME VALUE" lines.
const path = require("path");
const readline = require("readline");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { OPCUAServer } = require("node-opcua-server");
const { StatusCodes } = require("node-opcua-status-code");
const { DataType, Variant, VariantArrayType } = require("node-opcua-variant");

const USER = "operator";
const PASSWORD = "Riverside-4411";

async function main(folder, port, anew) {
  const manager = new OPCUACertificateManager({
    rootFolder: path.join(folder, "pki"),
    automaticallyAcceptUnknownCertificate: true,
  });
  await manager.initialize();
  const server = new OPCUAServer({
    port: Number(port),
    hostname: "127.0.0.1",
    resourcePath: "/plc",
    serverCertificateManager: manager,
    serverInfo: { applicationUri: "urn:test:foreign", productUri: "urn:test:foreign" },
    isAuditing: false,
    userManager: { isValidUser: (name, password) => name === USER && password === PASSWORD },
    serverCapabilities: { operationLimits: { maxNodesPerRead: 3, maxMonitoredItemsPerCall: 2 } },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  if (anew) {
    const other = space.registerNamespace("urn:test:foreign:other");
    other.addVariable({
      browseName: "Level", nodeId: "s=P1.Level", organizedBy: space.rootFolder.objects, dataType: "Double",
      value: { dataType: DataType.Double, value: 99 },
    });
  }
  const own = space.registerNamespace("urn:test:foreign:plc");
  const device = own.addObject({
    browseName: "P1", nodeId: "s=P1", organizedBy: space.rootFolder.objects,
    notifierOf: space.rootFolder.objects.server, eventNotifier: 1,
  });
  const values = { Level: anew ? 8.5 : 2.5, Flow: 7.0, Steady: 1.0 };
  const nodes = {};
  for (const name of Object.keys(values)) {
    const options = {
      browseName: name,
      nodeId: `s=P1.${name}`,
      componentOf: device,
      dataType: "Double",
      value: { dataType: DataType.Double, value: values[name] },
      accessLevel: "CurrentRead | CurrentWrite",
      userAccessLevel: "CurrentRead | CurrentWrite",
    };
    nodes[name] =
      name === "Flow"
        ? own.addAnalogDataItem({ ...options, engineeringUnitsRange: { low: 0, high: 100 } })
        : own.addVariable(name === "Level" ? { ...options, eventSourceOf: device } : options);
  }
  nodes.Text = own.addVariable({
    browseName: "Text", nodeId: "s=P1.Text", componentOf: device, dataType: "String",
    value: { dataType: DataType.String, value: "ok" },
  });
  nodes.Bad = own.addVariable({ browseName: "Bad", nodeId: "s=P1.Bad", componentOf: device, dataType: "Double" });
  nodes.Bad.setValueFromSource(new Variant({ dataType: DataType.Double, value: 3 }), StatusCodes.BadDeviceFailure);
  nodes.List = own.addVariable({
    browseName: "List", nodeId: "s=P1.List", componentOf: device, dataType: "Double", valueRank: 1,
    value: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1, 2, 3]) },
  });
  space.installAlarmsAndConditionsService();
  const alarm = own.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: "LevelLimits", conditionName: "LevelLimits", conditionOf: device, conditionSource: nodes.Level,
    inputNode: nodes.Level, lowLowLimit: -10, lowLimit: -5, highLimit: 20, highHighLimit: 40,
  });
  alarm.severity.setValueFromSource({ dataType: DataType.UInt16, value: 300 });
  await server.start();
  const bound = server.endpoints[0].port || server.endpoints[0]._server.address().port;
  console.log(JSON.stringify({ port: bound }));
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const [, name, value] = line.split(" ");
    nodes[name].setValueFromSource({ dataType: DataType.Double, value: Number(value) });
  });
  lines.on("close", async () => {
    await server.shutdown(0);
    process.exit(0);
  });
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
