// SPDX-License-Identifier: MIT
// usage: java Tls.java CONFIGURATION AUTHORITY [SERVER-ALIAS CLIENT-ALIAS]...: TLS servers and a client of each,
// by TLS 1.2 and 1.3, with keys of the token; each side wants a certificate of the authority in the file.

import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import javax.net.ssl.*;

public class Tls {
    /** A key manager that has one key. */
    static class One extends X509ExtendedKeyManager {
        private final KeyStore store;
        private final String alias;

        One(KeyStore store, String alias) {
            this.store = store;
            this.alias = alias;
        }
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) { return alias; }
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return type.startsWith(getPrivateKey(alias).getAlgorithm()) ? alias : null;
        }
        public String[] getClientAliases(String type, Principal[] issuers) { return new String[] {alias}; }
        public String[] getServerAliases(String type, Principal[] issuers) { return new String[] {alias}; }
        public PrivateKey getPrivateKey(String name) {
            try {
                return (PrivateKey) store.getKey(alias, null);
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException(e);
            }
        }
        public X509Certificate[] getCertificateChain(String name) {
            try {
                var chain = store.getCertificateChain(alias);
                return java.util.Arrays.copyOf(chain, chain.length, X509Certificate[].class);
            } catch (KeyStoreException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    static SSLContext context(KeyStore store, String alias, KeyStore trusted) throws Exception {
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        var context = SSLContext.getInstance("TLS");
        context.init(new KeyManager[] {new One(store, alias)}, trust.getTrustManagers(), null);
        return context;
    }

    static String peer(SSLSocket socket) throws SSLPeerUnverifiedException {
        return socket.getSession().getPeerPrincipal() + " " + socket.getSession().getProtocol();
    }

    static void talk(SSLContext serverSide, SSLContext clientSide, String version) throws Exception {
        var listener = (SSLServerSocket) serverSide.getServerSocketFactory().createServerSocket(
                0, 1, InetAddress.getLoopbackAddress());
        listener.setNeedClientAuth(true);
        listener.setEnabledProtocols(new String[] {version});
        Thread server = new Thread(() -> {
            try (var socket = (SSLSocket) listener.accept()) {
                socket.getInputStream().read();
                socket.getOutputStream().write(("server saw " + peer(socket) + "\n").getBytes());
            } catch (IOException e) {
                e.printStackTrace();
            }
        });
        server.start();
        var client = (SSLSocket) clientSide.getSocketFactory().createSocket(
                "localhost", listener.getLocalPort());
        var parameters = client.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        client.setSSLParameters(parameters);
        try (client) {
            client.getOutputStream().write('x');
            System.out.println(new BufferedReader(new InputStreamReader(client.getInputStream())).readLine());
            System.out.println("client saw " + peer(client));
        }
        server.join();
        listener.close();
    }

    public static void main(String[] args) throws Exception {
        Provider token = Security.getProvider("SunPKCS11").configure(args[0]);
        Security.addProvider(token);
        KeyStore store = KeyStore.getInstance("PKCS11", token);
        store.load(null, null);
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream file = Files.newInputStream(Path.of(args[1]))) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }

        for (int i = 2; i + 1 < args.length; i += 2) {
            talk(context(store, args[i], trusted), context(store, args[i + 1], trusted), "TLSv1.2");
            talk(context(store, args[i], trusted), context(store, args[i + 1], trusted), "TLSv1.3");
        }
    }
}
