// SPDX-License-Identifier: MIT
// usage: java Signer.java CONFIGURATION THREADS ROUNDS ALIAS...: each thread signs and decrypts with each of
// the keys, all at once; what comes out is judged by Java's own implementation with the certificate.

import java.security.*;
import java.security.cert.X509Certificate;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.util.*;
import java.util.concurrent.*;
import javax.crypto.Cipher;

public class Signer {
    static Provider token;
    static KeyStore store;

    static void sign(String alias, String algorithm, byte[] data) throws Exception {
        PublicKey publicKey = store.getCertificate(alias).getPublicKey();
        Signature signer = Signature.getInstance(algorithm, token);
        signer.initSign((PrivateKey) store.getKey(alias, null));
        Signature verifier = Signature.getInstance(algorithm, algorithm.endsWith("ECDSA") ? "SunEC" : "SunRsaSign");
        verifier.initVerify(publicKey);
        if (algorithm.equals("RSASSA-PSS")) {
            var parameters = new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, 1);
            signer.setParameter(parameters);
            verifier.setParameter(parameters);
        }
        signer.update(data, 0, data.length / 2);
        signer.update(data, data.length / 2, data.length - data.length / 2);
        byte[] signature = signer.sign();
        verifier.update(data);
        if (!verifier.verify(signature))
            throw new SignatureException(alias + ": a signature by " + algorithm + " does not verify");
        data[0] ^= 1;
        verifier.update(data);
        data[0] ^= 1;
        if (verifier.verify(signature))
            throw new SignatureException(alias + ": a signature by " + algorithm + " verifies other data");
    }

    static void decrypt(String alias, byte[] data) throws Exception {
        byte[] plain = Arrays.copyOf(data, 32);
        Cipher cipher = Cipher.getInstance("RSA/ECB/PKCS1Padding", "SunJCE");
        cipher.init(Cipher.ENCRYPT_MODE, store.getCertificate(alias).getPublicKey());
        byte[] encrypted = cipher.doFinal(plain);
        cipher = Cipher.getInstance("RSA/ECB/PKCS1Padding", token);
        cipher.init(Cipher.DECRYPT_MODE, (PrivateKey) store.getKey(alias, null));
        if (!Arrays.equals(plain, cipher.doFinal(encrypted)))
            throw new GeneralSecurityException(alias + ": decryption gives something else");
    }

    static int rounds(int thread, int rounds, List<String> aliases) throws Exception {
        byte[] data = new byte[3000];
        new Random(thread).nextBytes(data);
        int count = 0;
        for (int i = 0; i < rounds; i++) {
            for (String alias : aliases) {
                boolean rsa = store.getCertificate(alias).getPublicKey().getAlgorithm().equals("RSA");
                for (String hash : List.of("SHA256", "SHA384", "SHA512")) {
                    sign(alias, hash + (rsa ? "withRSA" : "withECDSA"), data);
                    count++;
                }
                if (rsa) {
                    sign(alias, "RSASSA-PSS", data);
                    decrypt(alias, data);
                    count += 2;
                }
            }
        }
        return count;
    }

    public static void main(String[] args) throws Exception {
        token = Security.getProvider("SunPKCS11").configure(args[0]);
        Security.addProvider(token);
        store = KeyStore.getInstance("PKCS11", token);
        store.load(null, null);
        int threads = Integer.parseInt(args[1]), rounds = Integer.parseInt(args[2]);
        List<String> aliases = List.of(args).subList(3, args.length);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Integer>> results = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int thread = i;
            results.add(pool.submit(() -> rounds(thread, rounds, aliases)));
        }
        int count = 0;
        for (Future<Integer> result : results)
            count += result.get();
        pool.shutdown();
        System.out.println(count + " operations by " + threads + " threads");
    }
}
